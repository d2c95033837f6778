"""Draws every figure of arXiv:1603.07285 and writes the page `gallery/index.md` that shows them."""

from pathlib import Path

from jaxconv import ConvGeometry
from jaxconv.figures import GUIDE, animation, guide, overlap_figure
from jaxconv.figures.guide_figures import guide_animation

HEAD = """\
# The figures of arXiv:1603.07285

Every figure of Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*
([arXiv:1603.07285](https://arxiv.org/abs/1603.07285)), drawn by jaxconv when this page was built.
[Figures and animations](../figures.md) says how to draw any other convolution.

"""
SECTION = """\
## {title}

{caption}

*{parameters}*

![{caption}]({file})

```python
from jaxconv.figures import guide

guide("{number}", "{file}")
```

"""
SAME_ANIMATION = """\
The same animation, with numbers to change:

```python
from jaxconv import ConvGeometry
from jaxconv.figures import animate

{call}
```

"""


OVERLAP = """\
## Overlap of transposed convolutions

A transposed convolution adds a tap of its kernel to a cell once for every window that reads the cell. Where
the counts differ away from the border, its results tend to have the pattern of a checkerboard
([Checkerboards and composition](../checkerboards.md)).

"""
OVERLAP_FIGURE = """\
![{title}]({file})

```python
from jaxconv import ConvGeometry
from jaxconv.figures import overlap_figure

overlap_figure({geometry!r}).save("{file}")
```

"""
OVERLAPS = {
    "overlap_uneven": ConvGeometry((11,), (3,), strides=2),
    "overlap_even": ConvGeometry((12,), (4,), strides=2),
    "overlap_checkerboard": ConvGeometry((11, 11), (3, 3), strides=2),
    "overlap_holes": ConvGeometry((11, 11), (3, 3), strides=2, kernel_dilation=2),
}
OPTIONS = ({}, {"values": "numbers"}, {"values": "symbols", "matrix": True})


def animate_call(figure):
    """Returns the call of `animate` that draws a figure; None for a figure that `animate` does not draw."""
    display = guide_animation(figure.number).display
    for options in OPTIONS:
        options = {"transposed": True} | options if figure.transposed else options
        if animation(figure.geometry, **options).display == display:
            words = "".join(f", {name}={value!r}" for name, value in options.items()).replace("'", '"')
            return f'animate({figure.geometry!r}, "mine.svg"{words})'
    return None


def write_gallery_page(app):
    """Draws the figures beside the page."""
    folder = Path(app.srcdir) / "gallery"
    folder.mkdir(exist_ok=True)
    page = HEAD
    for figure in GUIDE.values():
        file = f"figure_{figure.number.replace('.', '_').replace(' ', '_')}.svg"
        guide(figure.number, folder / file)
        page += SECTION.format(
            title=f"Figure {figure.number}" if figure.number[0].isdigit() else figure.number.capitalize(),
            number=figure.number,
            caption=figure.caption,
            parameters=figure.parameters,
            file=file,
        )
        call = animate_call(figure)
        page += SAME_ANIMATION.format(call=call) if call else ""
    page += OVERLAP
    for name, geometry in OVERLAPS.items():
        picture = overlap_figure(geometry)
        picture.save(folder / f"{name}.svg")
        page += OVERLAP_FIGURE.format(title=picture.title, file=f"{name}.svg", geometry=geometry)
    (folder / "index.md").write_text(page)


def setup(app):
    """Draws before the pages are read."""
    app.connect("builder-inited", write_gallery_page)
    return {"parallel_read_safe": True}
