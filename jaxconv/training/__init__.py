"""Trains networks by a configuration, and evaluates, applies and exports them."""

from jaxconv.errors import ConfigError, needs_extra

with needs_extra(__name__, "train"):
    from jaxconv.training.config import Config, open_data
    from jaxconv.training.evaluation import evaluate
    from jaxconv.training.inference import predict
    from jaxconv.training.loop import train
    from jaxconv.training.network import Trained, load

__all__ = ["Config", "ConfigError", "Trained", "evaluate", "load", "open_data", "predict", "train"]
