"""Calibrations that were made before: kept in a folder, found again by all that they depend on.

The network, the frames and the scheme decide what calibration learns, with the code that does it. The key of
an entry is the hash of these; an entry is the file that `storage.save` writes, and its name ends with the
hash of its bytes, which are compared before it is read. One that does not fit is made anew.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from videoquant.calibration.calibrate import calibrate, learn, walks
from videoquant.calibration.evidence import warn
from videoquant.calibration.range_fit import Progress
from videoquant.errors import CalibrationWarning, NetworkError, OutputError
from videoquant.files import output_folder, reason
from videoquant.made import VERSION
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import load_quantized, save
from videoquant.torch_settings import plain_math

LIMIT = 1 << 30  # bytes of a folder: beyond it what was not used for longest is removed
SUFFIX = ".calibration"


@plain_math()
def cached_calibration(
    folder: str | Path,
    network: Network,
    scheme: Scheme,
    clips: Sequence[Sequence[Tensor]],
    progress: Progress | None = None,
) -> QuantizedNetwork:
    """What `calibrate` gives, from the folder where it is there, else made and put there.

    Calibration that has something to warn of is not kept, so that it is said again. A folder that cannot be
    written is a `CalibrationWarning`, and changes nothing else. Raises what `calibrate` raises.
    """
    if not walks(scheme):
        return calibrate(network, scheme, clips, progress)
    folder, key = Path(folder), calibration_key(network, scheme, clips)
    known = _read(folder, key, network)
    if known is not None:
        for _ in range(walks(scheme) * len(network.nodes) if progress else 0):
            progress()  # type: ignore[misc]
        return known
    quantized, shortcomings = learn(network, scheme, clips, progress)
    if shortcomings:
        warn(shortcomings)
        return quantized
    try:
        _write(output_folder(folder), key, quantized)
    except (OutputError, OSError) as error:
        words = str(error) if isinstance(error, OutputError) else f"{folder}: {reason(error)}"
        warnings.warn(f"the calibration is not kept: {words}", CalibrationWarning, 2)
    return quantized


def calibration_key(network: Network, scheme: Scheme, clips: Sequence[Sequence[Tensor]]) -> str:
    """The hash of all that a calibration depends on, in hexadecimal digits."""
    found = blake2b(digest_size=20)

    def add(name: str, x: Tensor) -> None:
        # How a tensor lies in memory decides the order of sums.
        found.update(f"{name} {x.dtype} {tuple(x.shape)} {x.stride()};".encode())
        found.update(x.detach().cpu().contiguous().numpy().data)

    described = {
        "code": _code(),
        "torch": [torch.__version__, torch.backends.cpu.get_cpu_capability()],
        "scheme": scheme.to_dict(),
        "network": [network.name, network.input, network.input_shape, network.outputs, network.metadata],
        "preprocessing": asdict(network.preprocessing),
        "nodes": [asdict(node) for node in network.nodes],
        "clips": [len(clip) for clip in clips],
    }
    found.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(network.tensors):
        add(name, network.tensors[name])
    for frame in (frame for clip in clips for frame in clip):
        add("frame", frame)
    return found.hexdigest()


@cache
def _code() -> str:
    """The version of the package, and the hash of its code: it may be edited where it is installed."""
    found = blake2b(VERSION.encode(), digest_size=20)
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        found.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return found.hexdigest()


def _read(folder: Path, key: str, network: Network) -> QuantizedNetwork | None:
    """The calibration of a network by its key; None where there is none that is whole."""
    for path in folder.glob(f"{key}-*{SUFFIX}"):
        try:
            if path.name != _name(key, path):
                raise NetworkError(f"{path}: damaged")
            stored = load_quantized(path)
        except (NetworkError, OSError):
            with suppress(OSError):
                path.unlink()
            continue
        with suppress(OSError):
            os.utime(path)  # it was used
        # The given network has the weights in floating point, which files have not.
        biases = {
            name: tensor
            for name in (f"{layer.name}.bias" for layer in network.layers)
            if (tensor := stored.network.tensors.get(name)) is not None
            and not (name in network.tensors and torch.equal(tensor, network.tensors[name]))
        }
        own = network.with_tensors(network.tensors | biases) if biases else network
        return QuantizedNetwork(own, stored.scheme, stored.weights, stored.grids)
    return None


def _write(folder: Path, key: str, quantized: QuantizedNetwork) -> None:
    written = folder / f"{key}{SUFFIX}"
    save(quantized, written)
    written.replace(folder / _name(key, written))
    entries = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: -path.stat().st_mtime)
    total = 0
    for path in entries:
        total += path.stat().st_size
        if total > LIMIT:
            path.unlink(missing_ok=True)


def _name(key: str, path: Path) -> str:
    """What a file is called that holds the entry of a key."""
    return f"{key}-{blake2b(path.read_bytes(), digest_size=16).hexdigest()}{SUFFIX}"
