"""What the operators of `network/operators/` compute, in NumPy: a function each, a file per family.

What moves values, compares them, or does one operation at a time gives PyTorch's bits. Others are computed in
float64 and rounded to float32 once (sigmoid, silu, gelu, elu, tanh, erf, softmax, mean, average pools), and
bilinear resizing is the engine's. There PyTorch's own bits depend on its version, the CPU's vectors and how a
tensor lies in memory; these do not.

A function's positional arguments are the values that a node reads, its keyword arguments the node's tensors
and attributes. Values are float32, N×C×H×W or of any other shape.
"""

from videoquant.runtime.operators import elementwise, moves, reductions, spatial
from videoquant.runtime.operators.registry import ELEMENTS, OPERATORS, Array

__all__ = ["ELEMENTS", "OPERATORS", "Array", "elementwise", "moves", "reductions", "spatial"]
