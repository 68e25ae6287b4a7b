"""Windows that slide over a picture or a line: what convolutions and pools share, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from torch import Tensor

from videoquant.network.builder import OperatorContext, Value

AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


T = TypeVar("T", bound=Callable[..., Value])


def of_lines_too(translation: T) -> T:
    """A translation of windows over N×C×H×W that takes lines N×C×L as well, as maps of one row."""

    @wraps(translation)
    def translate(site: OperatorContext, x: Value, *arguments: Any, **attributes: Any) -> Value:
        if len(x.shape) != 3:
            return translation(site, x, *arguments, **attributes)
        for name, neutral in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("output_padding", 0)):
            if name in attributes:
                attributes[name] = [neutral, *attributes[name]]
        if len(attributes.get("pads") or ()) == 2:
            attributes["pads"] = [0, attributes["pads"][0], 0, attributes["pads"][1]]
        if attributes.get("output_shape"):
            attributes["output_shape"] = [1, attributes["output_shape"][-1]]
        weights = [
            value.unsqueeze(2) if isinstance(value, Tensor) and value.dim() == 3 else value
            for value in arguments
        ]
        rows = site.reshape(x, (*x.shape[:2], 1, x.shape[2]))
        y = translation(site, rows, *weights, **attributes)
        return site.reshape(y, (*y.shape[:2], y.shape[3]))

    return cast(T, translate)


def check_window(
    site: OperatorContext,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> None:
    """Refuse a window that is not two-dimensional, or has numbers that no window can have."""
    if len(x.shape) != 4:
        raise site.refuse(f"only two-dimensional images are supported; its input has shape {x.shape}")
    for what, numbers in (("kernel_shape", kernel), ("strides", strides), ("dilations", dilations)):
        if len(numbers) != 2 or min(numbers) < 1:
            raise site.refuse(f"{what} is {list(numbers)}; it must be two positive numbers")
    if pads is not None and (len(pads) != 4 or min(pads) < 0):
        raise site.refuse(f"pads is {list(pads)}; it must be four numbers, none negative")
    if auto_pad not in AUTO_PADS:
        raise site.refuse(f"auto_pad is {auto_pad!r}; it must be one of {', '.join(AUTO_PADS)}")


def paddings(
    site: OperatorContext,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> list[int]:
    """(top, left, bottom, right) in numbers, whichever way the node says it."""
    check_window(site, x, kernel, strides, dilations, pads, auto_pad)
    if auto_pad == "NOTSET":
        return list(pads or (0, 0, 0, 0))
    if auto_pad == "VALID":
        return [0, 0, 0, 0]
    totals = [
        max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True)
    ]
    return shared_out(totals, auto_pad)


def shared_out(totals: Sequence[int], auto_pad: str) -> list[int]:
    """Paddings of height and width as (top, left, bottom, right); SAME_UPPER has the odd pixel at the end."""
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return less + more if auto_pad == "SAME_UPPER" else more + less


def refuse_skipping(
    site: OperatorContext, x: Value, kernel: Sequence[int], strides: Sequence[int], auto_pad: str
) -> None:
    """Refuse a pool with auto_pad=SAME whose windows leave out two pixels or more: at which end?"""
    sizes = zip(x.shape[2:], kernel, strides, strict=True)
    if auto_pad.startswith("SAME") and any((math.ceil(n / s) - 1) * s + k <= n - 2 for n, k, s in sizes):
        raise site.refuse("auto_pad=SAME that leaves out pixels is read in several ways; export pads")
