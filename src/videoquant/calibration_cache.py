"""Calibrations that were made before: kept in a folder, found again by all that they depend on.

The network, the frames and the scheme decide what calibration learns, with the code that does it. The key of
an entry is the hash of these; an entry is the file that `storage.save` writes. One that is damaged is made
anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from videoquant.calibration.calibrate import calibrate, learn, walks
from videoquant.calibration.evidence import warn
from videoquant.calibration.range_fit import Progress
from videoquant.calibration.sampling import source_of
from videoquant.content_hash import ContentHash
from videoquant.errors import CalibrationWarning, NetworkError, OutputError
from videoquant.files import output_folder, reason
from videoquant.kept_files import keep, kept
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import load_quantized, save
from videoquant.torch_settings import plain_math

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
    found = ContentHash()
    runs = [(len(clip), source_of(clip)) for clip in clips]
    found.add_json({"scheme": scheme.to_dict(), "clips": runs})
    found.add_network(network)
    for frame in (frame for clip in clips for frame in clip):
        found.add_tensor("frame", frame)
    return found.hexdigest()


def _read(folder: Path, key: str, network: Network) -> QuantizedNetwork | None:
    """The calibration of a network by its key; None where there is none that is whole."""
    for path in kept(folder, key, SUFFIX):
        try:
            stored = load_quantized(path)
        except (NetworkError, OSError):
            with suppress(OSError):
                path.unlink()
            continue
        if stored.scheme.equalize:
            return stored  # its layers are not those of the given network
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
    keep(folder, key, SUFFIX, written)
