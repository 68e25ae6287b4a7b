"""Networks' inputs as PyTorch takes them. A Tensor that is given as one keeps its gradient and its device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from videoquant.network.input_arrays import check_shape, given_input, not_finite, prepare_picture
from videoquant.network.preprocessing import Preprocessing


def prepare_tensor(
    frame: Any, preprocessing: Preprocessing, input_shape: Sequence[int], name: str = "network"
) -> Tensor:
    """A network's input for a frame, N×C×H×W, channels last in memory; see `input_arrays.prepare`."""
    frame = getattr(frame, "pixels", frame)
    x: Tensor | None = None
    if isinstance(frame, Tensor):
        if frame.is_floating_point():
            x = frame[None] if frame.shape == tuple(input_shape[1:]) else frame
    else:
        given = given_input(frame, input_shape)
        if given is not None:
            own = given.copy(order="K")  # streams may keep it, and the caller write into his
            # PyTorch's own first axis, not NumPy's: convolutions are chosen by its step.
            x = torch.from_numpy(own[0])[None] if len(own) == 1 else torch.from_numpy(own)
    if x is None:
        return torch.from_numpy(prepare_picture(frame, preprocessing, input_shape, name))
    check_shape(x.shape, input_shape, name)
    if not bool(torch.isfinite(x).all()):
        raise not_finite(name)
    return x.float().contiguous(memory_format=torch.channels_last)
