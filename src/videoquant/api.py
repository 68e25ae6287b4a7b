"""The function that most programs need beside `load`: `quantize`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from videoquant.calibration.calibrate import calibrate
from videoquant.calibration.sampling import calibration_clips
from videoquant.errors import NetworkError
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.torch_settings import plain_math


@plain_math()
def quantize(
    network: Network,
    scheme: Scheme | str,
    calibration: Any,
    progress: Callable[[], None] | None = None,
    cache: str | Path | None = None,
) -> QuantizedNetwork:
    """Calibrate a scheme on unlabelled frames.

    scheme: a `Scheme` or its text, e.g. "w8a8->w4a4 T=3".
    calibration: a clip (`videoquant.frames`), or the path of one, of which about 16 frames are taken over its
        whole length, or 64 to predict ranges; or an iterable of consecutive frames or network inputs, all of
        which are used.
    progress: called once per node of the network and walk through it (`calibration.calibrate.walks`).
    cache: a folder where what the same network, frames and scheme gave before is found and else put, up to a
        gibibyte; None (the default) calibrates anew (docs/calibration.md).
    Raises `SchemeError` and `DataError`, and `NetworkError` for what is no network in floating point.
    """
    if isinstance(network, QuantizedNetwork):
        raise NetworkError(
            f"{network.network.name}: is quantized already ({network.scheme}); quantize what it was made of"
        )
    if not isinstance(network, Network):
        raise NetworkError(
            f"quantized are networks of videoquant.load and capture; this is a {type(network).__name__}"
        )
    scheme = Scheme.parse(scheme) if isinstance(scheme, str) else scheme
    if scheme.is_float:
        return calibrate(network, scheme, [])
    clips = calibration_clips(network, calibration, scheme)
    if cache is None:
        return calibrate(network, scheme, clips, progress)
    from videoquant.calibration_cache import cached_calibration  # which reads files, and so imports onnx

    return cached_calibration(cache, network, scheme, clips, progress)
