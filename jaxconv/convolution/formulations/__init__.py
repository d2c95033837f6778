"""The formulations of a convolution, one per file, and what they share."""
