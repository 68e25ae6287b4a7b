"""What a quantized layer computes: on codes what integers compute, bit for bit; else floating point.

    acc = Σ (q − z_x) · (w − z_w)                  whole numbers, exact (`exact_sums`)
    y   = float32(acc) · (s_x · s_w[c]) + b[c]     the scales first; every operation rounds once

On residual frames the layer's output for the reference stands in place of the bias. With Dense + Sparse,
W∗S is added to y. The int8 engine computes the same, so that what is simulated is what is delivered.
"""

from __future__ import annotations

from torch import Tensor

from videoquant.network.graph import Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.one_pass import has_gradient, is_plain, scale_sums
from videoquant.quantizers.weights import WeightCodes
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented, values_of
from videoquant.simulate.sums import exact_sums


def compute_layer(
    node: Node,
    x: Represented,
    codes: WeightCodes | None,
    tensors: dict[str, Tensor],
    before: Tensor | None = None,
) -> Tensor:
    """The output of a layer.

    codes: its weights'; None where they stay in floating point.
    tensors: the layer's own: its weight and maybe its bias; a weight that asks for a gradient is quantized
        anew, on the codes' grid.
    before: on residual frames the layer's output that W∗x̂ is added to, in place of the bias.
    """
    weight = tensors["weight"]
    bias = tensors.get("bias") if before is None else None
    if isinstance(x, QuantizedTensor) and codes is not None and not weight.requires_grad:
        return _on_codes(node, x, codes, bias, before)
    if codes is not None:
        weight = codes.fake_quantize(weight) if weight.requires_grad else codes.values
    y = OPERATORS[node.op](values_of(x), weight=weight, bias=bias, **node.attributes)
    return y if before is None else y.add_(before)


def _on_codes(
    node: Node, x: QuantizedTensor, codes: WeightCodes, bias: Tensor | None, before: Tensor | None
) -> Tensor:
    scale = codes.scale * x.grid.scale
    y = exact_sums(node, x, codes)
    if x.sparse is None and is_plain(y, before) and not has_gradient(scale, bias):
        scale_sums(y, scale, -1 if node.op == "linear" else 1, bias, before)
        return y
    # Two operators: `addcmul`, which would be one, rounds only once where the CPU can.
    y.mul_(_per_channel(node, scale))
    if bias is not None:
        y.add_(_per_channel(node, bias))
    if x.sparse is not None:
        y.add_(OPERATORS[node.op](x.sparse, weight=codes.values, **node.attributes))
    return y if before is None else y.add_(before)


def _per_channel(node: Node, vector: Tensor) -> Tensor:
    """A number per output channel, in a shape that broadcasts over the layer's output."""
    return vector if node.op == "linear" else vector.view(-1, 1, 1)
