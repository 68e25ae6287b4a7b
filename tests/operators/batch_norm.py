"""BatchNormalization, which is folded into the layer before it or becomes a scale and a shift per channel."""

from typing import Any

import numpy as np

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.tables import onnx


@onnx("BatchNormalization")
def draw_batch_norm(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(2), dice.opset()
    channels = x[1] if dice.chance(0.97) else x[1] + 1
    inputs = ["x", *(dice.floats(channels) for _ in range(3)), np.abs(dice.floats(channels)) + 0.1]
    attributes: dict[str, Any] = {}
    if dice.chance(0.7):
        attributes["epsilon"] = dice.one([1e-3, 1e-5, 0.0, 0.5])
    if dice.chance(0.3):
        attributes["momentum"] = 0.5
    if opset >= 14 and dice.chance(0.2):
        attributes["training_mode"] = dice.whole(0, 1)
    if opset < 9 and dice.chance(0.3):
        attributes["spatial"] = 1
    return Drawn(op, x, inputs, attributes, opset=opset)
