"""The page that describes the results of the demo."""

from __future__ import annotations

from typing import Any

PAGE = """\
# jaxconv: the demo

Written in {seconds:.0f} seconds on {device} (jaxconv {jaxconv}, jax {jax}, seed {seed}).

| what | measured |
|---|---|
| claims that hold on this machine | {held} of {tried}; largest gap {worst:.2g} of the rounding bound |
| C x against conv, C-transposed y against conv_transpose, on a photograph | {gap:.2f} of the rounding bound |
| mean IoU of the FCN-8s over eleven classes, on held-out digits | **{mean_iou:.3f}** |
| pixels labelled correctly | {accuracy:.1f}% |

## A convolution is a matrix

![A convolution and its transpose: the window over the map, and the row of C lit beside it](animation.svg)

Every output of a convolution is a sum over the cells in its window, so it is the product of one row of a
matrix C with the input. The transposed convolution is the product with C-transposed. The
[explorer](explorer.html) shows the same for any convolution, with every number to change.

![C and its transpose](matrix.png)

C of a 3x3 convolution with stride 2 and padding 1 on an 8x8 map, and its transpose. A row of C is an
output, a column an input. Each 4x8 block holds one row of the kernel, which moves two columns to the right
from one output to the next, because the stride is 2. Grey cells have no entry. The transposed convolution
is the product with the matrix on the right.

## On a photograph

![The photograph, filtered and upsampled](photograph.png)

Here C is {rows:,} x {columns:,}, with {entries:,} entries. It filters each colour and keeps every second
pixel; its transpose returns to the size of the photograph. This is upsampling, not an inverse: what the
filter removed is lost. `conv` and `conv_transpose` store no matrix and agree with it up to rounding: the
largest difference is {gap:.2f} of `n eps |C||x|`, the bound for adding n products in two different orders.

## Learning to label pixels

![Test mosaics, truth and prediction](predictions.png)

Mosaics of {canvas} pixels are made of scikit-learn's 1797 handwritten digits: {train} of them for training,
{val} to choose the best checkpoint, and {test}, by the same writers, only for the test. A pixel with ink has
the class of its digit, every other pixel is background. The network (FCN-8s with few features,
{parameters:,} parameters) computes scores from the feature maps of its last three depths, and upsamples and
adds them by transposed convolutions of stride 2. {steps} steps of {batch} mosaics took
{training_seconds:.0f} seconds.

| {class_names} | mean |
|{rule}
| {class_iou} | **{mean_iou:.3f}** |

Intersection over union of every class, over all pixels of the {mosaics} mosaics of the test split.

![Curves of the training](curves.png)

The folder [training](training) contains the configuration, the log and the checkpoints. `jaxconv evaluate`,
`predict` and `export` use that folder.

## Next steps

- `jaxconv verify` checks every claim and prints its source; `--dtype float32` uses another dtype.
- `jaxconv arithmetic --input 6 --kernel 3 --strides 2 --padding 1` prints sizes, and the calls of the same
  layer in lax, flax and torch.
- `jaxconv explore` opens the explorer, `jaxconv figures --all` draws the figures of arXiv:1603.07285.
- `jaxconv matrix --input 8 8 --kernel 3 3 --strides 2 --padding 1 --out C.png` draws a matrix.
- `jaxconv train digits_unet` trains another network; `--set training.steps=100` changes its configuration.
- In Python: `jaxconv.conv_matrix`, `jaxconv.conv`, `jaxconv.conv_transpose`; layers in `jaxconv.nn`, networks
  in `jaxconv.models`. All numbers on this page are in [metrics.json](metrics.json).
"""


def format_summary(metrics: dict[str, Any]) -> str:
    """Returns the text of ``summary.md``: the numbers, the pictures, and next steps.

    Args:
      metrics: What `jaxconv.demo.run` returns and writes to ``metrics.json``.

    Returns:
      Markdown with links to the pictures in the same folder.
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
