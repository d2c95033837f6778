"""The rules of ``method="auto"`` where oneDNN is available: what it does not win, oneDNN, then `rules`."""

from __future__ import annotations

from typing import Any

from jaxconv.convolution import conditions as when
from jaxconv.convolution.formulations import onednn
from jaxconv.convolution.native import Kind
from jaxconv.convolution.rules import CONV_KERNEL_VJP_RULES, CONV_RULES, CONV_TRANSPOSE_RULES, Rule
from jaxconv.geometry import ConvGeometry


def onednn_takes(g: ConvGeometry, batch: int) -> bool:
    """Returns whether oneDNN takes the geometry."""
    return not onednn.reason_against(g)


_FFT: tuple[Rule[Any], ...] = (Rule("fft", when.fft_pays, "the kernel has 900 taps or more, and no strides"),)
_ONEDNN: tuple[Rule[Any], ...] = (Rule("onednn", onednn_takes, "oneDNN is available and takes the geometry"),)

WITH_ONEDNN: dict[Kind, tuple[Rule[Any], ...]] = {
    Kind.CONV: (*_FFT, *_ONEDNN, *CONV_RULES),
    Kind.CONV_TRANSPOSE: (*_FFT, *_ONEDNN, *CONV_TRANSPOSE_RULES),
    Kind.CONV_KERNEL_VJP: (*_FFT, *_ONEDNN, *CONV_KERNEL_VJP_RULES),
}
