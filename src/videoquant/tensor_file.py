"""Safetensors files of the package's own formats: networks, trainings, policies. Nothing in them can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from videoquant.errors import VideoQuantError, refused_as
from videoquant.files import atomic_write, check_safetensors
from videoquant.limits import check_size


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
    check_safetensors(path, error)
    with refused_as(error, f"{path}: no {what}, or damaged"):
        check_size(path.stat().st_size, str(path), error)
        with safe_open(path, "pt") as file:
            header: dict[str, str] = file.metadata() or {}
            if header.get("format") != format:
                raise error(f"{path}: a safetensors file, but no {what}")
            # Copies: in the file tensors lie at odd addresses, where matrix products may round otherwise.
            return header, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


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
