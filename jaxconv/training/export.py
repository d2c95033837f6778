"""Exports a trained network as one file that runs without the code of its model (StableHLO)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import export as jax_export
from jax import lax

from jaxconv.errors import OptionError, needs_extra
from jaxconv.training.inference import downsample_images, upsample_scores
from jaxconv.training.network import Network

Output = Literal["labels", "probabilities"]
PLATFORMS = ("cpu", "cuda", "tpu")


def export(
    network: Network,
    size: tuple[int, int],
    *,
    output: Output = "labels",
    platforms: Sequence[str] = PLATFORMS,
) -> jax_export.Exported:
    """Exports the network as a function of images alone, lowered for several platforms at once.

    The parameters are constants of the program. Preprocessing, downsampling and the interpolation of the
    scores are part of the program, so the labels have the size of the images.

    Args:
      network: A trained network, such as `load` returns.
      size: ``(rows, columns)`` of the images; the batch size is not fixed.
      output: ``"labels"`` for int32 ``(b, rows, columns)``, or ``(b,)`` of a classifier;
        ``"probabilities"`` for float32 with one more axis, the classes.
      platforms: Platforms on which the program can run, by jax's names.

    Returns:
      The program, as `jax.export.deserialize` returns it; ``.call(images)`` takes float32 images from 0 to
      1, ``(b, rows, columns, in_features)``.

    Raises:
      OptionError: `size` is not two positive integers.

    >>> from types import SimpleNamespace
    >>> network = SimpleNamespace(
    ...     task="segmentation", in_features=1, shrink=1, parameters=jnp.float32(0.5), rest=(),
    ...     call=lambda threshold, rest, x: jnp.concatenate([x, jnp.full_like(x, threshold)], -1),
    ... )
    >>> program = jax_export.deserialize(export(network, (1, 2)).serialize())
    >>> program.platforms, program.call(jnp.float32([[[[0.9], [0.2]]]])).tolist()
    (('cpu', 'cuda', 'tpu'), [[[0, 1]]])
    """
    if len(size) != 2 or min(size) < 1:
        raise OptionError(f"`size` must be the rows and columns of the images, at least 1 each; got {size}.")
    # On one device: otherwise the program would need as many devices as the training had.
    parameters, rest = jax.device_put((network.parameters, network.rest), jax.local_devices()[0])

    def compute(images: jax.Array) -> jax.Array:
        logits = network.call(parameters, rest, downsample_images(images, network.shrink))
        if network.task == "segmentation":
            logits = upsample_scores(logits, tuple(size), network.shrink)
        if output == "labels":
            return lax.argmax(logits, logits.ndim - 1, jnp.int32)
        return jax.nn.softmax(logits, axis=-1)

    (batch,) = jax_export.symbolic_shape("b")
    images = jax.ShapeDtypeStruct((batch, *size, network.in_features), jnp.float32)
    return jax_export.export(jax.jit(compute), platforms=tuple(platforms))(images)


def write_export(
    network: Network,
    path: Path | str,
    size: tuple[int, int],
    *,
    output: Output = "labels",
    platforms: Sequence[str] = PLATFORMS,
) -> tuple[Path, Path]:
    """Writes an exported network to a file, and a description of it to ``path`` with ``.json`` added.

    The file is read without jaxconv::

        from jax import export
        network = export.deserialize(bytearray(open(path, "rb").read()))
        labels = network.call(images)

    Args:
      network: A trained network, such as `load` returns.
      path: File to write; its folder is created if needed.
      size: ``(rows, columns)`` of the images.
      output: ``"labels"`` for the likeliest class, or ``"probabilities"`` for that of each class.
      platforms: Platforms on which the program can run, by jax's names.

    Returns:
      Paths of the program and of its description.
    """
    exported = export(network, size, output=output, platforms=platforms)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with needs_extra("an exported network", "train"):  # jax writes it with this package
        import flatbuffers  # noqa: F401
    path.write_bytes(exported.serialize())
    beside = path.with_name(f"{path.name}.json")
    beside.write_text(json.dumps(describe_export(network, size, output, platforms), indent=2) + "\n")
    return path, beside


def describe_export(
    network: Network, size: tuple[int, int], output: Output, platforms: Sequence[str]
) -> dict[str, Any]:
    """Returns the shapes of input and output and the classes of an exported network, for JSON.

    Args:
      network: A trained network, such as `load` returns.
      size: ``(rows, columns)`` of the images.
      output: ``"labels"`` or ``"probabilities"``.
      platforms: Platforms on which the program can run, by jax's names.
    """
    shape = ["b", *size] if network.task == "segmentation" else ["b"]
    classes = len(network.classes.names)
    return {
        "task": network.task,
        "input": {"shape": ["b", *size, network.in_features], "dtype": "float32", "range": [0, 1]},
        "output": {"what": output, "dtype": "int32", "shape": shape}
        if output == "labels"
        else {"what": output, "dtype": "float32", "shape": [*shape, classes]},
        "classes": list(network.classes.names),
        "colors": [list(color) for color in network.classes.colors],
        "shrink": network.shrink,
        "step": network.step,
        "platforms": list(platforms),
        "jax": jax.__version__,
    }
