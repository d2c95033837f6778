"""The mistakes a caller can make, each with the limit, what was found and the way out."""


class GeometryError(ValueError):
    """Sizes, padding, features or options that no convolution has."""


class SizeError(GeometryError, MemoryError):
    """A matrix too large for the memory, or for the integers, that it is asked to fit in.

    Raised before anything of that size is allocated.
    """
