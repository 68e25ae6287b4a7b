"""Quantize vision networks for video.

import videoquant as vq

network = vq.load("pose.onnx")                    # or vq.capture(module, example_inputs)
quantized = vq.quantize(network, "w8a8->w4a4 T=3", calibration=vq.frames("clip.mp4"))
for frame in vq.frames("clip.mp4"):
    output = quantized(frame)

Importing the package imports none of its parts: each comes when it is first used (PEP 562). So a camera that
runs a plan never loads PyTorch, and need not have it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from videoquant.errors import (
    DataError,
    MissingExtraError,
    NetworkError,
    OutputError,
    SchemeError,
    VideoQuantError,
    needs_extra,
)

if TYPE_CHECKING:  # what `_HOMES` says, for type checkers
    from videoquant import models as models
    from videoquant.api import quantize as quantize
    from videoquant.axes import Bits as Bits
    from videoquant.axes import DenseSparse as DenseSparse
    from videoquant.axes import Frame as Frame
    from videoquant.axes import Regions as Regions
    from videoquant.axes import Residual as Residual
    from videoquant.axes import Uniform as Uniform
    from videoquant.calibration.alpha import AlphaCurve as AlphaCurve
    from videoquant.calibration.alpha import search_alpha as search_alpha
    from videoquant.comparison import compare as compare
    from videoquant.data.video import Clip as Clip
    from videoquant.data.video import frames as frames
    from videoquant.exporting import export as export
    from videoquant.limits import size_limit as size_limit
    from videoquant.models.loading import load as load
    from videoquant.network.capture import capture as capture
    from videoquant.network.graph import Network as Network
    from videoquant.network.graph import Node as Node
    from videoquant.network.preprocessing import Preprocessing as Preprocessing
    from videoquant.ranges.estimators import ACIQ as ACIQ
    from videoquant.ranges.estimators import MSE as MSE
    from videoquant.ranges.estimators import MinMax as MinMax
    from videoquant.ranges.estimators import Quantile as Quantile
    from videoquant.ranges.sources import Dynamic as Dynamic
    from videoquant.ranges.sources import Predicted as Predicted
    from videoquant.ranges.sources import Static as Static
    from videoquant.report.answer import recommend as recommend
    from videoquant.report.html import write_report as write_report
    from videoquant.runtime.integer_network import IntegerNetwork as IntegerNetwork
    from videoquant.runtime.integer_network import load_plan as load_plan
    from videoquant.runtime.plan import Plan as Plan
    from videoquant.runtime.stream import open_stream as open_stream
    from videoquant.schemes import Scheme as Scheme
    from videoquant.simulate.quantized import QuantizedNetwork as QuantizedNetwork
    from videoquant.simulate.stream import Stream as Stream
    from videoquant.storage import load_quantized as load_quantized
    from videoquant.storage import save as save

# Every name that the package offers, by the module it is from.
_HOMES = {
    name: module
    for module, names in {
        "videoquant.api": ("quantize",),
        "videoquant.models.loading": ("load",),
        "videoquant.axes": (
            "Bits",
            "DenseSparse",
            "Frame",
            "Regions",
            "Residual",
            "Uniform",
        ),
        "videoquant.calibration.alpha": ("AlphaCurve", "search_alpha"),
        "videoquant.comparison": ("compare",),
        "videoquant.data.video": ("Clip", "frames"),
        "videoquant.exporting": ("export",),
        "videoquant.limits": ("size_limit",),
        "videoquant.network.capture": ("capture",),
        "videoquant.network.graph": ("Network", "Node"),
        "videoquant.network.preprocessing": ("Preprocessing",),
        "videoquant.ranges.estimators": ("ACIQ", "MSE", "MinMax", "Quantile"),
        "videoquant.report.answer": ("recommend",),
        "videoquant.report.html": ("write_report",),
        "videoquant.runtime.integer_network": ("IntegerNetwork", "load_plan"),
        "videoquant.runtime.plan": ("Plan",),
        "videoquant.ranges.sources": ("Dynamic", "Predicted", "Static"),
        "videoquant.runtime.stream": ("open_stream",),
        "videoquant.schemes": ("Scheme",),
        "videoquant.simulate.quantized": ("QuantizedNetwork",),
        "videoquant.simulate.stream": ("Stream",),
        "videoquant.storage": ("load_quantized", "save"),
    }.items()
    for name in names
}

__all__ = [
    "DataError",
    "MissingExtraError",
    "NetworkError",
    "OutputError",
    "SchemeError",
    "VideoQuantError",
    "models",
    *_HOMES,
]


def __getattr__(name: str) -> Any:
    """A name of the package, or one of its modules. Raises `MissingExtraError` where that needs an extra."""
    with needs_extra(f"videoquant.{name}"):
        if name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        elif not name.startswith("_") and find_spec(f"videoquant.{name}"):
            value = import_module(f"videoquant.{name}")
        else:
            raise AttributeError(f"module 'videoquant' has no attribute {name!r}")
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return __all__
