"""Pictures of C, receptive fields, segmentations and training logs; needs matplotlib."""

from jaxconv.errors import needs_extra

with needs_extra(__name__, "figures"):
    from jaxconv.figures.matrix import draw_matrix, matrix_figure, plot

__all__ = ["draw_matrix", "matrix_figure", "plot"]
