"""What each operator of a captured network computes, in PyTorch: a function each, a file per family.

A function's positional arguments are the values the node reads, its keyword arguments the node's tensors
(`weight`, `bias`, …) and attributes. Attributes are JSON values. Activations are N×C×H×W.

`runtime/operators/` has the same families in NumPy, without the layers.
"""

from videoquant.network.operators import elementwise, layers, moves, reductions, spatial
from videoquant.network.operators.layers import LAYERS
from videoquant.network.operators.registry import BY_ROW, OPERATORS
from videoquant.network.operators.shapes import on_meta

__all__ = [
    "BY_ROW",
    "LAYERS",
    "OPERATORS",
    "elementwise",
    "layers",
    "moves",
    "on_meta",
    "reductions",
    "spatial",
]
