"""Softmax over channels, and outputs of every kind."""

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis.strategies import DrawFn
from torch import nn

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.plan_draft import Draft
from tests.operators.tables import drawn, in_zoo, meaning, onnx


@meaning("softmax")
def softmax(op, x):
    return torch.softmax(torch.from_numpy(x), 2).numpy()


@drawn("softmax")
def draw_softmax(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    return draft.op(kind, [draft.source], draft.size(draft.source))


@onnx("Softmax")
def draw_onnx_softmax(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    attributes = {"axis": dice.axis(len(x), opset)} if dice.chance(0.7) else {}
    return Drawn(op, x, ["x"], attributes, opset=opset)


@in_zoo
class Ends(nn.Module):
    """Outputs of every kind: of the input, of a program's middle, of a tail that no plan has."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.register_buffer("fixed", torch.arange(6.0))

    def forward(self, x):
        y = self.conv(x)
        z = torch.softmax(torch.relu(y), 1)
        return {
            "input": x * 2 - 1,
            "raw": y,
            "soft": z,
            "rows": z.permute(0, 2, 3, 1).reshape(1, -1, 3).softmax(2),
            "mean": z.mean((2, 3)),
            "total": z.sum((2, 3)),
            "enlarged": F.interpolate(z, scale_factor=2, mode="bicubic"),
            "shifted": z.permute(0, 2, 3, 1) + self.fixed * 2,
        }
