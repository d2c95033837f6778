"""The demo on one page."""

from __future__ import annotations

PAGE = """\
# jaxconv: the demo

Written in {seconds:.0f} seconds on {device} (jaxconv {jaxconv}, jax {jax}, seed {seed}).

| what | measured |
|---|---|
| claims that hold on this machine | {held} of {tried}; worst gap {worst:.2g} of the rounding bound |
| C x against conv, C-transposed y against conv_transpose, on a photograph | {gap:.2f} of the rounding bound |
| mean IoU of the FCN-8s over eleven classes, on held-out digits | **{mean_iou:.3f}** |
| pixels labelled right | {accuracy:.1f}% |

## A convolution is a matrix

![C and its transpose](matrix.png)

C of a 3x3 convolution with stride 2 and padding 1 on an 8x8 map, and its transpose. A row of C is an
output, a column an input. Each 4x8 block holds one row of the kernel, which moves two columns to the right
from one output to the next, because the stride is 2. Plain grey holds nothing. The transposed convolution
multiplies by the matrix on the right, nothing else.

## On a photograph

![The photograph, filtered and upsampled](photograph.png)

Here C is {rows:,} x {columns:,}, with {entries:,} entries. It filters each colour and keeps every second
pixel; its transpose goes back to the photograph's size. That is upsampling, not an inverse: what the filter
removed stays removed. `conv` and `conv_transpose` store no matrix and agree with it up to rounding: the
largest difference is {gap:.2f} of `n eps |C||x|`, the most that adding n products in two orders may cause.

## Learning to label pixels

![Test mosaics, truth and prediction](predictions.png)

Mosaics of {canvas} pixels are made of scikit-learn's 1797 handwritten digits: {train} of them to learn from,
{val} to choose the best checkpoint by, and {test}, by the same writers, only to be judged on. A pixel with
ink has the class of its digit, every other pixel is background. The network (FCN-8s with few features,
{parameters:,} parameters) scores the maps of its last three depths and goes up by transposed convolutions of
stride 2, adding the scores of each. {steps} steps of {batch} mosaics took {training_seconds:.0f} seconds.

| {class_names} | mean |
|{rule}
| {class_iou} | **{mean_iou:.3f}** |

Intersection over union of every class, counted over all pixels of {mosaics} mosaics of the test split.

![The training](curves.png)

The run is in [training](training): its configuration, log and checkpoints. `jaxconv evaluate`, `predict` and
`export` take that folder.

## How to go on

- `jaxconv verify` prints every claim with its source; `--dtype float32` tries them in another dtype.
- `jaxconv arithmetic --input 6 --kernel 3 --strides 2 --padding 1` gives sizes, and what to pass to lax,
  flax and torch for the same layer.
- `jaxconv matrix --input 8 8 --kernel 3 3 --strides 2 --padding 1 --out C.png` draws a matrix of yours.
- `jaxconv train digits_unet` trains another network; `--set training.steps=100` changes its configuration.
- In Python: `jaxconv.conv_matrix`, `jaxconv.conv`, `jaxconv.conv_transpose`; layers in `jaxconv.nn`, networks
  in `jaxconv.models`. All numbers of this page are in [metrics.json](metrics.json).
"""


def summary(metrics: dict) -> str:
    """``summary.md``: what was done, the numbers, the pictures, and how to go on.

    Args:
      metrics: What `jaxconv.demo.run` returns and writes as ``metrics.json``.

    Returns:
      Markdown that links to the pictures beside it.
    """
    photograph, fcn = metrics["photograph"], metrics["fcn"]
    rows, columns = photograph[0]["matrix_shape"]
    return PAGE.format(
        **metrics["claims"]
        | metrics["versions"]
        | metrics
        | fcn
        | fcn["samples"]
        | {
            "seconds": metrics["seconds"],
            "training_seconds": fcn["seconds"],
            "gap": max(max(one["gap_of_conv"], one["gap_of_conv_transpose"]) for one in photograph),
            "rows": rows,
            "columns": columns,
            "entries": photograph[0]["entries"],
            "accuracy": 100 * fcn["global_accuracy"],
            "canvas": "x".join(map(str, fcn["canvas"])),
            "class_names": " | ".join(fcn["per_class_iou"]),
            "class_iou": " | ".join(f"{score or 0:.3f}" for score in fcn["per_class_iou"].values()),
            "rule": "---|" * (len(fcn["per_class_iou"]) + 1),
        }
    )
