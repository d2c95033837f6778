"""Pictures. Nothing here is imported before a picture is wanted: matplotlib takes its time."""

from jaxconv.figures.matrix import draw_matrix, matrix_figure

__all__ = ["draw_matrix", "matrix_figure"]
