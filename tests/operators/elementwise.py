"""The arithmetic steps that run behind any operator (docs/plan.md), and ONNX's elementwise operators."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from onnx import TensorProto
from torch import nn

from tests.operators.onnx_dice import SAME_BELOW, Dice, Drawn
from tests.operators.plan_draft import Draft
from tests.operators.tables import Zoo, in_zoo, onnx
from videoquant.runtime.plan_spec import COMBINATIONS

STEPS = (
    *("clamp", "leaky_relu", "prelu", "hardswish", "hardsigmoid", "sigmoid", "silu", "gelu", "elu", "tanh"),
    *("exp", "log", "sqrt", "abs", "floor", "ceil", "round", "trunc", "sign", "sin", "cos"),
    *("softplus", "mish", "erf", "affine", *COMBINATIONS),
)


def binary(do, x, operand):
    match do:
        case "add":
            return x + operand
        case "sub":
            return x - operand
        case "mul":
            return x * operand
        case "div":
            return x / operand
        case "minimum":
            return np.minimum(x, operand)
        case "maximum":
            return np.maximum(x, operand)
        case "pow" | "fmod" | "equal" | "greater" | "greater_equal":
            with np.errstate(all="ignore"):  # a root of a negative number is NaN
                return np.asarray(getattr(np, OF_NUMPY.get(do, do))(x, operand), np.float32)
        case "keep_where":
            return np.where(operand != 0, x, np.float32(0))
        case "keep_unless":
            return np.where(operand != 0, np.float32(0), x)
    assert do.startswith("r")
    return binary(do[1:], *np.broadcast_arrays(operand, x))


OF_NUMPY = {"pow": "power"}


def activation(step, x):
    attrs = step.attrs
    match step.do:
        case "clamp":
            return np.clip(x, np.float32(attrs["lo"]), np.float32(attrs["hi"]))
        case "affine":
            return x * attrs["weight"] + attrs["bias"]
        case "prelu":
            return np.where(x < 0, x * attrs["slope"], x)
    return of_pytorch(step.do, attrs, torch.from_numpy(x)).numpy()


def of_pytorch(do, attrs, x):
    match do:
        case "leaky_relu":
            return F.leaky_relu(x, attrs["slope"])
        case "hardswish":
            return F.hardswish(x)
        case "hardsigmoid":
            return (x * attrs["alpha"] + attrs["beta"]).clamp(0, 1)
        case "sigmoid":
            return torch.sigmoid(x)
        case "silu":
            return F.silu(x)
        case "gelu":
            return F.gelu(x, approximate=attrs["approximate"])
        case "elu":
            return F.elu(x, attrs["alpha"])
        case "tanh":
            return torch.tanh(x)
        case "softplus":
            return F.softplus(x)
        case "mish":
            return F.mish(x)
    return getattr(torch, do)(x)


def draw_step(draw: DrawFn, draft: Draft, op: dict[str, Any], do: str) -> dict[str, Any]:
    h, w, c = op["h"], op["w"], op["c"]
    match do:
        case "clamp":
            low, high = draw(st.sampled_from([0.0, -1.0, -np.inf])), draw(st.sampled_from([6.0, np.inf]))
            return {"do": do, "lo": low, "hi": high}
        case "leaky_relu":
            return {"do": do, "slope": draw(st.sampled_from([0.01, 0.3]))}
        case "elu":
            return {"do": do, "alpha": draw(st.sampled_from([1.0, 0.7]))}
        case "hardsigmoid":
            return {"do": do, "alpha": draw(st.sampled_from([1 / 6, 0.2])), "beta": 0.5}
        case "gelu":
            return {"do": do, "approximate": draw(st.sampled_from(["none", "tanh"]))}
        case "prelu":
            return {"do": do, "slope": draft.floats(c)}
        case "affine":
            return {"do": do, "weight": draft.floats(c), "bias": draft.floats(c)}
        case do if do in COMBINATIONS:
            if draw(st.booleans()):
                return {"do": do, "value": draw(st.sampled_from([0.5, 3.0, 255.0]))}
            shape = draw(st.sampled_from([(h, w, c), (1, 1, c), (h, w, 1), (1, 1, 1)]))
            # What computes the operand comes first.
            draft.ops.pop()
            slot = draft.constant(*shape, low=0.5 if do == "div" else -2)
            draft.ops.append(op)
            return {"do": do, "slot": slot}
    return {"do": do}


@in_zoo
class Activations(Zoo):
    def __init__(self):
        super().__init__()
        self.prelu, self.one = nn.PReLU(8), nn.PReLU()
        self.norm = nn.BatchNorm2d(8)

    def middle(self, x):
        x = F.leaky_relu(self.prelu(x), 0.2) + F.hardswish(x) * F.hardsigmoid(x)
        x = F.elu(F.gelu(x)) + F.gelu(x, approximate="tanh") - torch.erf(F.silu(self.one(x)))
        return self.norm(torch.tanh(x) * 2 + torch.sigmoid(x).clamp(0.3, 0.6))


@onnx("PRelu")
def draw_prelu(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    channel = (x[1], *[1] * (len(x) - 2)) if len(x) > 1 else (1,)
    shapes = [(1,), channel, channel, (1, *channel), x, x[1:], x[-1:], (1,) * len(x), (1,) * (len(x) + 1), ()]
    return Drawn(op, x, ["x", dice.floats(*dice.one(shapes))], opset=dice.opset())


def _limit(dice: Dice) -> float:
    return float(dice.one([-0.5, 0.0, 0.7, 6.0, -3.4028234663852886e38, 3.4028234663852886e38]))


@onnx("Clip")
def draw_clip(dice: Dice, op: str) -> Drawn:
    opset = dice.opset()
    which = dice.one([(1, 1), (1, 0), (0, 1), (0, 0)])
    low, high = (_limit(dice) if used else None for used in which)
    if opset < 11:
        limits = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
        return Drawn(op, dice.shape(), ["x"], limits, opset=opset)
    shape = () if dice.chance(0.9) else (1,)
    inputs = ["x", *(None if v is None else np.full(shape, v, np.float32) for v in (low, high))]
    return Drawn(op, dice.shape(), inputs, opset=opset)


@onnx("HardSigmoid")
def draw_hard_sigmoid(dice: Dice, op: str) -> Drawn:
    attributes = {"alpha": dice.one([0.3, 1.0, -0.2]), "beta": dice.one([0.4, 0.0])}
    if dice.chance(0.5):
        attributes = {}
    return Drawn(op, dice.shape(), ["x"], attributes, opset=dice.opset())


@onnx("LeakyRelu", "Elu")
def draw_slope(dice: Dice, op: str) -> Drawn:
    attributes = {"alpha": dice.one([0.3, 1.0, 0.0, -0.5, 2.0])} if dice.chance(0.7) else {}
    return Drawn(op, dice.shape(), ["x"], attributes, opset=dice.opset())


@onnx("Gelu")
def draw_gelu(dice: Dice, op: str) -> Drawn:
    attributes = {"approximate": dice.one(["none", "tanh"])} if dice.chance(0.7) else {}
    return Drawn(op, dice.shape(), ["x"], attributes, opset=dice.opset(20))


@onnx("Cast")
def draw_cast(dice: Dice, op: str) -> Drawn:
    kinds = ["FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16", "INT64", "INT32", "BOOL", "STRING"]
    to = TensorProto.DataType.Value(dice.one(kinds))
    return Drawn(op, dice.shape(), ["x"], {"to": to}, opset=dice.opset())


@onnx("Dropout")
def draw_dropout(dice: Dice, op: str) -> Drawn:
    opset = dice.opset()
    if opset < 12:
        return Drawn(op, dice.shape(), ["x"], {"ratio": 0.3} if dice.chance(0.5) else {}, opset=opset)
    more = dice.one([[], [np.float32(0.3)], [np.float32(0.3), np.array(False)], [None, np.array(False)],
                     [np.float32(0.0), np.array(True)]])  # fmt: skip
    return Drawn(op, dice.shape(), ["x", *map(_array, more)], opset=opset)


def _array(value: Any) -> Any:
    return None if value is None else np.asarray(value)


FIRST = {"Erf": 9, "HardSwish": 14, "Sin": 7, "Cos": 7, "Mish": 18, "Sign": 9, "Round": 11}


@onnx("Relu", "Sigmoid", "Tanh", "Neg", "Identity", "Erf", "HardSwish", "Exp", "Log", "Sqrt", "Abs", "Sin")
@onnx("Cos", "Softplus", "Mish", "Sign", "Floor", "Ceil", "Round", "Reciprocal", "Softsign")
def draw_plain(dice: Dice, op: str) -> Drawn:
    """Of one input and no attributes."""
    first = FIRST.get(op, SAME_BELOW)
    return Drawn(op, dice.shape(), ["x"], opset=dice.opset(first))


@in_zoo
class Functions(Zoo):
    def middle(self, x):
        y = torch.log(torch.exp(x.clamp(-3, 3)) + 0.5) + torch.sqrt(torch.abs(x)) - F.softplus(x)
        return torch.maximum(F.mish(y), x) + torch.minimum(torch.floor(y * 3), y)


@in_zoo
class Comparisons(Zoo):
    """Values spread along other dimensions each; conditions and values that are constants."""

    def __init__(self):
        super().__init__()
        self.register_buffer("chosen", torch.arange(12) % 3 == 0)

    def middle(self, x):
        largest = torch.where(x.amax((2, 3), keepdim=True) > x.amax(1, keepdim=True) * 1.5, x, -x)
        y = torch.where(self.chosen, largest, 0.5) + torch.where(x >= 0, 1.0, x.mean(1, keepdim=True))
        y = y.masked_fill(torch.sign(x) == 0, -0.25) * (torch.sin(x) > 0.25) + torch.fmod(x * 3, 0.7)
        whole = torch.round(y * 4) / 4 + torch.ceil(y) - torch.trunc(torch.cos(y) * 2)
        return whole + 1.5 ** (x.abs() + 0.1) ** 0.7


@in_zoo
class Masked(Zoo):
    """Attention that sees what came before alone: what is masked is infinite."""

    def middle(self, x):
        rows = x.flatten(2)
        later = torch.ones(rows.shape[-1], rows.shape[-1]).triu(1) == 1
        shares = torch.softmax((rows.transpose(1, 2) @ rows / 9).masked_fill(later, -torch.inf), -1)
        return (shares @ rows.transpose(1, 2)).transpose(1, 2).reshape(x.shape)


@in_zoo
class Arithmetic(Zoo):
    def __init__(self):
        super().__init__()
        self.register_buffer("per_channel", torch.rand(8, 1, 1) + 0.5)
        self.register_buffer("per_pixel", torch.rand(1, 1, 12, 12) + 0.5)
        self.register_buffer("every", torch.rand(1, 8, 12, 12) + 0.5)

    def middle(self, x):
        x = (1 - x) * self.per_channel / self.per_pixel + self.every
        y = 2 / (x * x + 1.5) - x / 3
        gate = y.mean((2, 3), keepdim=True)
        return (gate - y) * gate + y * y.amax((2, 3), keepdim=True) + y[:, :1] * x


@onnx("Add", "Sub", "Mul", "Div")
def draw_arithmetic(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    other = [n if dice.chance(0.6) else 1 for n in x]
    other = dice.one([other, other, other[dice.whole(0, len(x)) :], [2, *x], []])
    constant = np.asarray(dice.floats(*other) + (3 if op == "Div" else 0), np.float32)
    inputs = dice.one([["x", constant], [constant, "x"], ["x", "x"]])
    if dice.chance(0.2):
        whole = np.asarray(dice.numbers.integers(1, 5, constant.shape) * dice.one([1, -1]), np.int64)
        kind = TensorProto.INT64
        return Drawn(op, x, ["x", whole], opset=dice.opset(), takes=kind, gives=(kind,))
    return Drawn(op, x, inputs, opset=dice.opset())
