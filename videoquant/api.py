"""The two functions most programs need: `load` a network, `quantize` it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from videoquant.calibration.calibrate import calibrate
from videoquant.calibration.sampling import calibration_clips
from videoquant.errors import NetworkError
from videoquant.network.graph import Network
from videoquant.network.onnx_reader import read_onnx
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork

# Networks that ship with the package, by the name they are loaded by.
SHIPPED = {"selfie_segmentation": "selfie_segmentation_256.onnx"}


def load(source: str | Path) -> Network:
    """Read a network from an ONNX file, or one that ships with the package by its name (`SHIPPED`).

    Raises `NetworkError` for a missing or damaged file, and for an operator that is not supported.
    """
    if str(source) in SHIPPED:
        with resources.as_file(resources.files("videoquant") / "assets" / SHIPPED[str(source)]) as path:
            network = read_onnx(path)
        network.name = str(source)
        return network
    if not Path(source).exists():
        raise NetworkError(f"{source}: no such file, and no shipped network ({', '.join(SHIPPED)})")
    return read_onnx(source)


def quantize(
    network: Network,
    scheme: Scheme | str,
    calibration: Any,
    progress: Callable[[], None] | None = None,
) -> QuantizedNetwork:
    """Calibrate a scheme on unlabelled frames.

    scheme: a `Scheme` or its text, e.g. "w8a8->w4a4 T=3".
    calibration: a clip (`videoquant.frames`), of which about 16 frames are taken over its whole length, or 64
        to predict ranges; or an iterable of consecutive frames or network inputs, all of which are used.
    progress: called once per node of the network and walk through it (`calibration.calibrate.walks`).
    Raises `SchemeError` and `DataError`.
    """
    scheme = Scheme.parse(scheme) if isinstance(scheme, str) else scheme
    if scheme.is_float:
        return calibrate(network, scheme, [])
    return calibrate(network, scheme, calibration_clips(network, calibration, scheme), progress)
