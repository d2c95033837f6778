"""Pictures. Nothing here is imported before a picture is wanted: matplotlib takes its time."""

from jaxconv.errors import needs_extra

with needs_extra(__name__, "figures"):
    from jaxconv.figures.matrix import draw_matrix, matrix_figure

__all__ = ["draw_matrix", "matrix_figure"]
