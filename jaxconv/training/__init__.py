"""From a configuration to a trained network: one step, the loop around it, what it leaves behind."""

from jaxconv.errors import ConfigError, needs_extra

with needs_extra(__name__, "train"):
    from jaxconv.training.config import Config
    from jaxconv.training.evaluation import evaluate
    from jaxconv.training.loop import train
    from jaxconv.training.runs import load, open_data
    from jaxconv.training.tiling import predict
    from jaxconv.training.trained import Trained

__all__ = ["Config", "ConfigError", "Trained", "evaluate", "load", "open_data", "predict", "train"]
