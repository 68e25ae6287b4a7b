"""What a stream gives to its user: Tensors where PyTorch is installed, else arrays of the same values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray


def for_user(outputs: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """A stream's arrays as its user gets them: as Tensors on the same memory, or as they are."""
    convert = _converter()
    return {name: convert(array) for name, array in outputs.items()}


@cache
def _converter() -> Callable[[NDArray[np.float32]], Any]:
    """Made when the first frame is done, so that importing this package never imports PyTorch."""
    if find_spec("torch") is None:
        return lambda array: array
    from torch import Tensor, from_numpy, inference_mode

    def tensor(array: NDArray[np.float32]) -> Tensor:
        with inference_mode(False):  # whatever the caller has set: what he keeps can be trained later
            return from_numpy(array)

    return tensor
