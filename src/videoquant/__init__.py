"""Quantize vision networks for video.

import videoquant as vq

network = vq.load("pose.onnx")                    # or vq.capture(module, example_inputs)
quantized = vq.quantize(network, "w8a8->w4a4 T=3", calibration=vq.frames("clip.mp4"))
for frame in vq.frames("clip.mp4"):
    output = quantized(frame)
"""

from videoquant import models
from videoquant.api import load, quantize
from videoquant.axes import Bits, DenseSparse, Dynamic, Frame, Predicted, Residual, Static, Uniform
from videoquant.calibration.alpha import AlphaCurve, search_alpha
from videoquant.comparison import compare
from videoquant.data.video import Clip, frames
from videoquant.errors import DataError, NetworkError, OutputError, SchemeError, VideoQuantError
from videoquant.limits import size_limit
from videoquant.network.capture import capture
from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.quantizers.ranges import ACIQ, MSE, MinMax, Quantile
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.stream import Stream
from videoquant.storage import load_quantized, save

__all__ = [
    "ACIQ",
    "MSE",
    "AlphaCurve",
    "Bits",
    "Clip",
    "DataError",
    "DenseSparse",
    "Dynamic",
    "Frame",
    "MinMax",
    "Network",
    "NetworkError",
    "Node",
    "OutputError",
    "Predicted",
    "Preprocessing",
    "Quantile",
    "QuantizedNetwork",
    "Residual",
    "Scheme",
    "SchemeError",
    "Static",
    "Stream",
    "Uniform",
    "VideoQuantError",
    "capture",
    "compare",
    "frames",
    "load",
    "load_quantized",
    "models",
    "quantize",
    "save",
    "search_alpha",
    "size_limit",
]
