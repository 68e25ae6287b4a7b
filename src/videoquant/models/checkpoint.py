"""Reads checkpoints: safely, out of the wrappers that training leaves around them, wholly or not at all."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.files import check_file, check_safetensors
from videoquant.limits import check_size
from videoquant.models.base import Model
from videoquant.tensor_file import read_file

# Where training scripts put the parameters among their other state.
WRAPPERS = ("state_dict", "model_state_dict", "model")
# What DataParallel and the trainer of HRNet and DDRNet put before names; the latter keeps its loss beside.
PREFIXES = ("module.", "model.")
LOSS = "loss."
# Batch norm counts its batches here; checkpoints older than PyTorch 0.4.1 do not, and nothing reads it.
COUNTER = "num_batches_tracked"

NAMED = 3  # keys of each kind that a message names


def load_checkpoint(model: Model, path: str | Path) -> None:
    """Load a checkpoint into a network: every parameter, or none where one does not fit.

    path: .safetensors, or what `torch.save` wrote; see `read_checkpoint`.
    Raises `NetworkError` with the missing, unexpected and wrongly shaped keys.
    """
    load_parameters(model, read_checkpoint(path), path)


def load_parameters(model: Model, parameters: Mapping[str, Tensor], path: str | Path) -> None:
    """`load_checkpoint` of parameters that were read from `path`; they take the dtypes of the network."""
    found = {_renamed(key, model.aliases): tensor for key, tensor in parameters.items()}
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in found and not key.endswith(COUNTER)]
    for prefix in model.training_only:
        if not any(key.startswith(prefix) for key in found):
            missing = [key for key in missing if not key.startswith(prefix)]
    unexpected = [key for key in found if key not in wanted]
    reshaped = [
        f"{key} ({_shape(found[key])}, not {_shape(tensor)})"
        for key, tensor in wanted.items()
        if key in found and found[key].shape != tensor.shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    if any(problems.values()):
        raise NetworkError(
            f"{path}: does not fit {type(model).__name__}: {_listed(problems)}; nothing was loaded, "
            "check the network's name and num_classes"
        )
    with refused_as(NetworkError, f"{path}: does not fit {type(model).__name__}"):
        model.load_state_dict(found, strict=False)


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The parameters in a checkpoint by name, without wrappers, prefixes and the trainer's loss.

    Files of `torch.save` are read with weights_only, so nothing in them can run.
    Raises `NetworkError` for a file that is missing, damaged, holds no tensors, objects other than data, or
    more than a file may (`limits`), be it packed small.
    """
    path = Path(path)
    suited = check_safetensors if path.suffix == ".safetensors" else check_file
    suited(path, NetworkError)
    check_size(_unpacked_size(path), f"{path}: unpacked, it", NetworkError)
    content = _tensors(path) if path.suffix == ".safetensors" else _torch(path)
    while isinstance(content, Mapping):
        inner = [content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        content = inner[0]
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(key): value for key, value in items if isinstance(value, Tensor)}
    if not tensors:
        raise NetworkError(f"{path}: holds no parameters by name; a checkpoint is a state_dict")
    for name, tensor in tensors.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
        if not plain or tensor.is_quantized or tensor.is_complex():
            raise NetworkError(f"{path}: {name!r} is no plain tensor of real numbers")
    # A tensor may repeat what is stored: one number can stand for any shape.
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    check_size(total, f"{path}: its parameters", NetworkError)
    return _without_prefixes(tensors)


def _unpacked_size(path: Path) -> int:
    """Bytes of a file, or of what is packed in it: `torch.save` writes zip files, which others compress."""
    with refused_as(NetworkError, f"{path}: not a checkpoint, or damaged"):
        size = path.stat().st_size
        if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
            return size
        with zipfile.ZipFile(path) as archive:
            return max(size, sum(entry.file_size for entry in archive.infolist()))


def _tensors(path: Path) -> Any:
    return read_file(path, None, NetworkError, "not a safetensors file, or damaged", framework="pt")[1]


def _torch(path: Path) -> Any:
    refusal = f"{path}: not a checkpoint of torch.save, or damaged"
    try:
        with refused_as(NetworkError, refusal):
            return torch.load(path, map_location="cpu", weights_only=True)
    except NetworkError as error:
        if not isinstance(error.__cause__, pickle.UnpicklingError):
            raise
        culprit = re.search(r"GLOBAL (\S+)", str(error.__cause__))
        if culprit:
            raise NetworkError(
                f"{path}: holds a {culprit[1]} besides tensors, and is not read because it could run code; "
                "save its state_dict() alone"
            ) from None
        raise NetworkError(refusal) from None


def _without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without the prefixes that all of them share, however they are nested."""
    for prefix in PREFIXES:
        inside = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
        outside = [key for key in tensors if not key.startswith(prefix)]
        if inside and all(key.startswith(LOSS) for key in outside):
            return _without_prefixes(inside)
    return tensors


def _renamed(key: str, aliases: Mapping[str, str]) -> str:
    owner, dot, short = key.rpartition(".")
    return aliases.get(owner, owner) + dot + short


def _listed(problems: Mapping[str, list[str]]) -> str:
    """ "2 missing (a, b), 9 unexpected (c, d, e, …)"."""
    parts = []
    for kind, keys in problems.items():
        if keys:
            more = ", …" if len(keys) > NAMED else ""
            parts.append(f"{len(keys)} {kind} ({', '.join(keys[:NAMED])}{more})")
    return ", ".join(parts)


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
