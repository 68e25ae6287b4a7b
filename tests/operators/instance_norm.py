"""Instance norms: each channel by its own mean and variance."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import nn

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.plan_draft import Draft
from tests.operators.tables import Zoo, drawn, in_zoo, meaning, onnx


@meaning("instance_norm")
def instance_norm(op, x):
    mean = x.mean((0, 1), dtype=np.float64)
    variance = np.square(x - mean).mean((0, 1))
    return (x - mean.astype(np.float32)) * (1 / np.sqrt(variance + op.attrs["eps"])).astype(np.float32)


@drawn("instance_norm")
def draw_instance_norm(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    attrs = {"eps": draw(st.sampled_from([1e-5, 1e-3, 0.5]))}
    return draft.op(kind, [draft.source], draft.size(draft.source), attrs)


@in_zoo
class InstanceNorms(Zoo):
    def __init__(self):
        super().__init__()
        self.scaled = nn.InstanceNorm2d(8, affine=True)
        nn.init.normal_(self.scaled.weight)
        nn.init.normal_(self.scaled.bias)
        self.running = nn.InstanceNorm2d(8, track_running_stats=True)

    def middle(self, x):
        return F.instance_norm(torch.relu(self.scaled(x)), eps=1e-3) + self.running(x)


@onnx("InstanceNormalization")
def draw_onnx_instance_norm(dice: Dice, op: str) -> Drawn:
    x = dice.shape(3) if dice.chance(0.97) else dice.shape(2)
    channels = [x[1] + dice.chance(0.03) for _ in range(2)]
    attributes = {"epsilon": dice.one([1e-3, 1e-5, 0.0, 0.5])} if dice.chance(0.7) else {}
    inputs = ["x", *(dice.floats(size) for size in channels)]
    return Drawn(op, x, inputs, attributes, opset=dice.opset())
