"""Safetensors files: how all of them are opened, and how arrays are written. Nothing in them can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from videoquant.errors import VideoQuantError, refused_as
from videoquant.files import atomic_write, check_safetensors
from videoquant.limits import check_size


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], header: dict[str, str]) -> None:
    """Write a file, whole or not at all. arrays: contiguous. Raises `OutputError`."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(serialize(dict(arrays), header))


def read_file(
    path: Path,
    format: str | None,
    error: type[VideoQuantError],
    damaged: str,
    foreign: str = "",
    framework: Literal["np", "pt"] = "np",
) -> tuple[dict[str, str], dict[str, Any]]:
    """The header's texts and the tensors of a file, as NumPy's arrays or PyTorch's tensors.

    format: what its header must say that it is; None takes any.
    Raises `error` for a file that is missing or larger than a file may be (`limits`); damaged, which ends as
    `damaged` says; or of another format, as `foreign` says.
    """
    check_safetensors(path, error)
    with refused_as(error, f"{path}: {damaged}"):
        check_size(path.stat().st_size, str(path), error)
        with safe_open(path, framework) as file:
            header: dict[str, str] = file.metadata() or {}
            if format is not None and header.get("format") != format:
                raise error(f"{path}: a safetensors file, but {foreign}")
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def has_format(path: str | Path, format: str) -> bool:
    """Whether a file is a safetensors file whose header says that it has this format."""
    try:
        check_safetensors(path, VideoQuantError)
        with safe_open(path, "np") as file:
            return (file.metadata() or {}).get("format") == format
    except (VideoQuantError, SafetensorError, OSError):
        return False
