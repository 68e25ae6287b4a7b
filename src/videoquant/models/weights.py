"""Trained weights that ship with the package: videoquant/weights/NAME_DATASET.safetensors."""

from __future__ import annotations

from pathlib import Path

from videoquant.errors import NetworkError
from videoquant.models.registry import names

FOLDER = Path(__file__).parents[1] / "weights"


def shipped_weights(name: str, dataset: str | None = None, folder: Path | None = None) -> Path | None:
    """The shipped weights of a network; None where there are none.

    name: one of `models.names()`.
    dataset: the name of the data set that is asked about, e.g. "camvid": weights trained on it are preferred;
        without, or where there are none, the network's only file is taken.
    folder: default `FOLDER`.
    Raises `NetworkError` where several files fit, since which one is meant cannot be guessed.
    """
    folder = FOLDER if folder is None else folder
    files = [file for file in sorted(folder.glob(f"{name}_*.safetensors")) if _owner(file) == name]
    exact = [file for file in files if file.stem == f"{name}_{dataset}"]
    found = exact or files
    if len(found) > 1:
        raise NetworkError(f"{name}: has weights {', '.join(file.name for file in found)}; name a checkpoint")
    return found[0] if found else None


def require_weights(name: str, dataset: str | None = None) -> Path:
    """`shipped_weights`, or a `NetworkError` that says how to come by some: random ones say nothing."""
    found = shipped_weights(name, dataset)
    if found is None:
        raise NetworkError(
            f"{name}: no weights of it ship with videoquant; give a checkpoint (--checkpoint PATH) "
            f"or train one: videoquant train {name} --dataset NAME:PATH"
        )
    return found


def _owner(file: Path) -> str | None:
    """The network that a file is for: "ddrnet23_slim_camvid" is ddrnet23_slim's and not ddrnet23's."""
    return max((name for name in names() if file.stem.startswith(f"{name}_")), key=len, default=None)
