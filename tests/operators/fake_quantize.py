"""QuantizeLinear and DequantizeLinear: values on a grid."""

from collections.abc import Sequence

import numpy as np
import torch
from onnx import TensorProto

from tests.operators.onnx_dice import Array, Dice, Drawn
from tests.operators.tables import Zoo, in_zoo, onnx

TYPES = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8, np.int16: TensorProto.INT16}


@in_zoo
class FakeQuantized(Zoo):
    def middle(self, x):
        unsigned = torch.fake_quantize_per_tensor_affine(torch.relu(x), 0.02, 0, 0, 255)
        signed = torch.fake_quantize_per_tensor_affine(x, 0.05, 3, -128, 127)
        return unsigned + torch.fake_quantize_per_tensor_affine(signed * x, 0.3, 5, 0, 15)


def draw_grid(
    dice: Dice, shape: tuple[int, ...], opset: int, kinds: Sequence[type] = (np.uint8, np.int8)
) -> tuple[list[Array], type]:
    """Scale and zero point; now and then one for each index of an axis, or of a type that is not read."""
    kind = dice.one([*kinds] * 10 + ([np.int16] if opset >= 21 else []))
    size = (shape[1],) if dice.chance(0.1) and opset >= 13 and len(shape) > 1 else ()
    scale = np.asarray(dice.one([0.013, 0.25, 1.0, 3e-3]) * (1 + np.abs(dice.floats(*size))), np.float32)
    zero = np.full(size, dice.whole(np.iinfo(kind).min, np.iinfo(kind).max), kind)
    return [scale, zero], kind


@onnx("QuantizeLinear")
def draw_quantize(dice: Dice, op: str) -> Drawn:
    opset, shape = dice.opset(10), dice.shape()
    grid, kind = draw_grid(dice, shape, opset)
    if dice.chance(0.2):
        grid, kind = grid[:1], np.uint8
    return Drawn(op, shape, ["x", *grid], opset=opset, gives=(TYPES[kind],))


@onnx("DequantizeLinear")
def draw_dequantize(dice: Dice, op: str) -> Drawn:
    opset, shape = dice.opset(10), dice.shape()
    grid, kind = draw_grid(dice, shape, opset, [np.int8])  # x has both signs
    if dice.chance(0.2):
        grid = grid[:1]
    return Drawn(op, shape, ["x", *grid], opset=opset, takes=TYPES[kind])
