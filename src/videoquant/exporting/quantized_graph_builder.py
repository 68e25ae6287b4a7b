"""The ONNX graph of a quantized network while it is written: weights and biases become codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from videoquant.network.onnx_graph_builder import OnnxGraphBuilder
from videoquant.quantizers.weights import WeightCodes

FOUR_BITS = (TensorProto.INT4, TensorProto.UINT4)
FOUR_BITS_SINCE = 21  # the opset whose QuantizeLinear and DequantizeLinear know int4 and uint4
LARGEST_BIAS = 2**31 - 1


class QuantizedGraphBuilder(OnnxGraphBuilder):
    """Writes a layer's weight as DequantizeLinear of its codes, and its bias as that of int32.

    codes: of the layer in hand; None where its weights stay in floating point.
    input_scale: of what the layer reads, where it is one number for all frames; biases then become whole
        numbers of input_scale · weight scale, what runtimes add to an accumulator.
    opset: of the file; from 21 on, codes of 4 bits and less take 4 bits.
    integer: whether layers are ConvInteger and MatMulInteger, whose codes are uint8.
    """

    def __init__(self, network: str, opset: int, integer: bool) -> None:
        super().__init__(network, ())
        self.opset, self.integer = opset, integer
        self._named: set[str] = set()
        self.codes: WeightCodes | None = None
        self.input_scale: float | None = None

    def layer(self, codes: WeightCodes | None, input_scale: float | None) -> None:
        """Turn to the layer of the node in hand: what its weight and its bias become."""
        self.codes, self.input_scale = codes, input_scale

    def tensor(self, value: Tensor | NDArray[Any], part: str) -> str:
        if self.codes is not None and part == "weight":
            return self._weight(self.codes, turned=self._node.op == "linear" and len(self.shape) != 2)
        if self.codes is not None and part == "bias" and self.input_scale is not None:
            return self._bias(value, self.codes.scale.numpy() * np.float32(self.input_scale))
        return super().tensor(value, part)

    def whole(self, codes: Tensor, bits: int, part: str) -> str:
        """Add codes as a constant: of 4 bits where the opset has them, else int8 or uint8 as they are."""
        if bits > 4 or self.opset < FOUR_BITS_SINCE:
            return super().tensor(codes, part)
        kind = TensorProto.INT4 if codes.dtype == torch.int8 else TensorProto.UINT4
        name = self._name(part)
        flat = codes.contiguous().numpy().reshape(-1)
        self.tensors.append(_four_bits(name, kind, tuple(codes.shape), flat))
        return name

    def _weight(self, codes: WeightCodes, turned: bool) -> str:
        """ŵ. turned: as a matrix from inputs to outputs."""
        stored, scale = codes.codes.T if turned else codes.codes, codes.scale
        # Of transposed convolutions with groups the scales lie along no one axis.
        by_group = codes.groups > 1 and scale.numel() > 1
        vector = scale if scale.numel() > 1 else scale.view(())
        if by_group:
            vector = scale.new_ones(())
        axis: dict[str, Any] = {"axis": 1 if turned else codes.axis} if vector.dim() else {}
        # ONNX Runtime's option for exact sums on x86 asks for a zero point as long as the scales.
        zeros = torch.full(vector.shape, codes.zero_point, dtype=codes.codes.dtype)
        inputs = (
            self.whole(stored, codes.bits, "weight.codes"),
            super().tensor(vector, "weight.scale"),
            self.whole(zeros, codes.bits, "weight.zero"),
        )
        if by_group:
            steps = self.step("DequantizeLinear", *inputs, part="weight.steps")
            return self.step("Mul", steps, super().tensor(codes.along(scale), "weight.scales"), part="weight")
        return self.step("DequantizeLinear", *inputs, part="weight", **axis)

    def _bias(self, bias: Tensor | NDArray[Any], scale: NDArray[np.float32]) -> str:
        array = bias.detach().double().numpy() if isinstance(bias, Tensor) else bias.astype(np.float64)
        scale = np.broadcast_to(scale, array.shape)
        whole = np.rint(array / scale)
        if np.abs(whole).max(initial=0) > LARGEST_BIAS:  # then no runtime could add it to an accumulator
            return super().tensor(bias, "bias")
        codes = super().tensor(whole.astype(np.int32), "bias.codes")
        scales = super().tensor(np.ascontiguousarray(scale), "bias.scale")
        return self.step("DequantizeLinear", codes, scales, part="bias", axis=0)

    def double(self, value: float, part: str) -> str:
        return super().tensor(np.array(value, dtype=np.float64), part)

    def floats(self, value: Tensor, part: str) -> str:
        """Add a constant as it is, whatever the layer in hand makes of its weight and bias."""
        return super().tensor(value, part)

    def index(self, value: int, part: str) -> str:
        return super().tensor(np.array(value, dtype=np.int64), part)

    def bytes_of(self, codes: WeightCodes, turned: bool) -> list[str]:
        """Add a layer's codes and their zero point, as uint8: signed ones are moved by 128.

        Where a CPU has no VNNI, ONNX Runtime multiplies uint8 with int8 in sums of 16 bits, which saturate;
        uint8 with uint8 it adds up exactly.
        turned: as a matrix from inputs to outputs.
        """
        shift = 128 if codes.codes.dtype == torch.int8 else 0
        unsigned = (codes.codes.short() + shift).to(torch.uint8)
        zero = np.array(codes.zero_point + shift, np.uint8)
        return [
            super().tensor(unsigned.T if turned else unsigned, "weight.codes"),
            super().tensor(zero, "weight.zero"),
        ]

    def write(self, op: str, *inputs: str, **attributes: Any) -> None:
        """Add the node that gives the result. Of two products of a layer the first has the layer's name."""
        super().write(op, *inputs, **attributes)
        if self._node.name in self._named:
            self.nodes[-1].name = self.result
        self._named.add(self._node.name)

    def write_as(self, part: str, op: str, *inputs: str) -> None:
        """Add the node that gives the result, but not the layer's name, which its product has."""
        self.nodes.append(helper.make_node(op, inputs, [self.result], name=self._name(part)))

    def code(self, value: int, kind: int, part: str) -> str:
        """Add one code as a constant. kind: its type, of `onnx.TensorProto`."""
        bits = 4 if kind in FOUR_BITS else 8
        signed = kind in (TensorProto.INT4, TensorProto.INT8)
        return self.whole(torch.tensor(value, dtype=torch.int8 if signed else torch.uint8), bits, part)

    def aside(self, part: str) -> str:
        """Let the node in hand write a value on the way to its result; returns the name of that value."""
        self.result = self._name(part)
        return self.result


def _four_bits(name: str, kind: int, shape: tuple[int, ...], flat: NDArray[Any]) -> onnx.TensorProto:
    """A constant of two codes a byte, the first in the lower half."""
    low = flat.astype(np.int16) & 0xF
    padded = np.concatenate([low, np.zeros(len(low) % 2, np.int16)])
    packed = (padded[0::2] | padded[1::2] << 4).astype(np.uint8)
    return helper.make_tensor(name, kind, shape, packed.tobytes(), raw=True)
