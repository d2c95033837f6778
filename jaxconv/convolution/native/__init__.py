"""oneDNN by a native part: how the library is found, loaded, tried and called. Importing it loads nothing."""

from jaxconv.convolution.native.calls import MAX_AXES, TARGET, Kind, call
from jaxconv.convolution.native.handler import State, available, found, implementation, state

__all__ = ["MAX_AXES", "TARGET", "Kind", "State", "available", "call", "found", "implementation", "state"]
