"""Pictures of C, animations of convolutions, and the figures of arXiv:1603.07285.

Receptive fields, segmentations and training logs are drawn too. Needs the extra ``figures`` (matplotlib and
Pillow).
"""

from jaxconv.errors import needs_extra

with needs_extra(__name__, "figures"):
    from jaxconv.figures.matrix import draw_matrix, matrix_figure, plot

from jaxconv.figures.animations import animate, animation, frame
from jaxconv.figures.guide_figures import GUIDE, GuideFigure, guide
from jaxconv.figures.overlap import overlap_figure
from jaxconv.figures.pictures import Animation
from jaxconv.figures.spectra import draw_spectrum, inverse_figure, spectrum_figure
from jaxconv.figures.themes import DARK, LIGHT, Theme
from jaxconv.geometry.scene import Scene, scenes

__all__ = [
    "DARK",
    "GUIDE",
    "LIGHT",
    "Animation",
    "GuideFigure",
    "Scene",
    "Theme",
    "animate",
    "animation",
    "draw_matrix",
    "draw_spectrum",
    "frame",
    "guide",
    "inverse_figure",
    "matrix_figure",
    "overlap_figure",
    "plot",
    "scenes",
    "spectrum_figure",
]
