"""Safetensors files of PyTorch's tensors, in the package's own formats: networks, trainings, policies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save as serialize
from torch import Tensor

from videoquant.errors import VideoQuantError
from videoquant.files import atomic_write
from videoquant.tensor_file import read_file


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write a file, whole or not at all. Tensors that share memory are stored each by itself.

    Raises `OutputError`.
    """
    # The format knows no shared memory; and `save_file` makes a file that only its owner may read.
    whole = torch.contiguous_format
    apart = {name: tensor.detach().cpu().clone(memory_format=whole) for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(serialize(apart, header))


def read_tensors(
    path: Path, format: str, what: str, error: type[VideoQuantError]
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header's texts and the tensors of a file whose header says that it has this format.

    what: it, as messages call it: "quantized network". Raises `error` for a file that is missing, damaged,
    of another format, or larger than a file may be (`limits`).
    """
    header, tensors = read_file(path, format, error, f"no {what}, or damaged", f"no {what}", "pt")
    # Copies: in the file tensors lie at odd addresses, where matrix products may round otherwise.
    return header, {name: tensor.clone() for name, tensor in tensors.items()}


def check_tensors(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str, error: type[VideoQuantError]
) -> None:
    """Raise `error` where tensors by name lack one that is wanted, have another, or one of another kind.

    Their shapes are those of the wanted, and both are floating point or neither; floating ones are finite.
    what: begins the message, such as "training.state: module".
    """
    odd = found.keys() ^ wanted.keys()
    if odd:
        state = "is missing" if min(odd) in wanted else "is unknown"
        raise error(f"{what}: {min(odd)!r} {state}")
    for name, tensor in found.items():
        other = wanted[name]
        if tensor.shape != other.shape or tensor.is_floating_point() != other.is_floating_point():
            raise error(
                f"{what}: {name!r} is {tensor.dtype} of shape {tuple(tensor.shape)}; it must be "
                f"{other.dtype} of shape {tuple(other.shape)}"
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise error(f"{what}: {name!r} holds NaN or infinity")
