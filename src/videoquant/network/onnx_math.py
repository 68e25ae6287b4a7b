"""How ONNX operators become nodes: functions, comparisons, reductions, and what takes several nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

MATH = OperatorRegistry()
_onnx = MATH.register


def _plain(onnx: str, op: str, arity: int) -> None:
    """An operator that has no attributes and means the same here."""

    def unary(site: OperatorContext, x: Value) -> Value:
        return site.emit(op, x)

    def binary(site: OperatorContext, a: Argument, b: Argument) -> Value:
        return site.emit(op, site.value(a), site.value(b))

    _onnx(onnx)(unary if arity == 1 else binary)


for _name in ("HardSwish", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Abs", "Sin", "Cos", "Softplus"):
    _plain(_name, _name.lower(), 1)
for _name in ("Mish", "Sign", "Floor", "Ceil", "Round"):
    _plain(_name, _name.lower(), 1)
for _name in ("Add", "Sub", "Mul", "Equal", "Greater"):
    _plain(_name, _name.lower(), 2)
_plain("GreaterOrEqual", "greater_equal", 2)
_plain("And", "mul", 2)  # of values that are 0 or 1
_plain("Or", "maximum", 2)


@_onnx("Pow")
def power(site: OperatorContext, a: Argument, b: Argument) -> Value:
    """Squares, cubes and roots as what they are."""
    exponent = None if isinstance(b, Value) else site.fixed(b, "exponents")
    if isinstance(a, Value) and exponent is not None and exponent.numel() == 1:
        match float(exponent):
            case 1.0:
                return a
            case 2.0:
                return site.emit("mul", a, a)
            case 3.0:
                return site.emit("mul", site.emit("mul", a, a, part="square"), a)
            case 0.5:
                return site.emit("sqrt", a)
            case -1.0:
                return site.emit("div", site.value(1.0), a)
    return site.emit("pow", site.value(a), site.value(b))


@_onnx("Div")
def div(site: OperatorContext, a: Argument, b: Argument) -> Value:
    """Integers are divided towards zero."""
    x, y = site.value(a), site.value(b)
    if not (x.whole and y.whole):
        return site.emit("div", x, y)
    return site.whole(site.emit("trunc", site.emit("div", x, y, part="quotient")))


@_onnx("Mod")
def mod(site: OperatorContext, a: Argument, b: Argument, *, fmod: int = 0) -> Value:
    x, y = site.value(a), site.value(b)
    left = site.emit("fmod", x, y)
    if fmod:
        return left
    # Else the rest has the divisor's sign, and integers alone are read.
    return site.emit("fmod", site.emit("add", left, y, part="sum"), y, part="rest")


@_onnx("Less")
def less(site: OperatorContext, a: Argument, b: Argument) -> Value:
    return site.emit("greater", site.value(b), site.value(a))


@_onnx("LessOrEqual")
def less_or_equal(site: OperatorContext, a: Argument, b: Argument) -> Value:
    return site.emit("greater_equal", site.value(b), site.value(a))


@_onnx("Not")
def not_(site: OperatorContext, x: Value) -> Value:
    return site.emit("sub", site.value(1.0), x)


@_onnx("Where")
def where(site: OperatorContext, condition: Argument, x: Argument, y: Argument) -> Value:
    return site.emit("where", site.value(condition), site.value(x), site.value(y))


@_onnx("Neg")
def neg(site: OperatorContext, x: Value) -> Value:
    return site.emit("mul", x, site.value(-1 if x.whole else -1.0))


@_onnx("Reciprocal")
def reciprocal(site: OperatorContext, x: Value) -> Value:
    return site.emit("div", site.value(1.0), x)


@_onnx("Softsign")
def softsign(site: OperatorContext, x: Value) -> Value:
    below = site.emit("add", site.emit("abs", x, part="abs"), site.value(1.0), part="below")
    return site.emit("div", x, below)


@_onnx("Selu")
def selu(
    site: OperatorContext, x: Value, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805
) -> Value:
    return site.emit("mul", site.emit("elu", x, alpha=alpha, part="elu"), site.value(gamma))


@_onnx("Celu")
def celu(site: OperatorContext, x: Value, *, alpha: float = 1.0) -> Value:
    inner = site.emit("elu", site.emit("div", x, site.value(alpha), part="scaled"), part="elu")
    return site.emit("mul", inner, site.value(alpha))


def _variadic(onnx: str, op: str) -> None:
    def fold(site: OperatorContext, *values: Argument) -> Value:
        result = site.value(values[0])
        for value in values[1:]:
            result = site.emit(op, result, site.value(value))
        return result

    _onnx(onnx)(fold)


_variadic("Sum", "add")
_variadic("Min", "minimum")
_variadic("Max", "maximum")


@_onnx("Mean")
def mean_of(site: OperatorContext, *values: Argument) -> Value:
    result = site.value(values[0])
    for value in values[1:]:
        result = site.emit("add", result, site.value(value), part="sum")
    return site.emit("div", result, site.value(float(len(values))))


def _reduce(
    onnx: str,
    op: str,
    before: Callable[[OperatorContext, Value], Value] = lambda site, x: x,
    after: str | None = None,
) -> None:
    """A reduction of what `before` makes of the value, and the function of the result."""

    def reduce(
        site: OperatorContext, x: Value, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Value:
        chosen = [] if axes is None else site.integers(axes, "axes")
        dims = sorted(site.axes(chosen, len(x.shape))) or list(range(len(x.shape)))
        y = before(site, x)
        if chosen or not noop_with_empty_axes:
            y = site.emit(op, y, dims=dims, keepdim=bool(keepdims))
        return y if after is None else site.emit(after, y, part=after)

    _onnx(onnx)(reduce)


def _square(site: OperatorContext, x: Value) -> Value:
    return site.emit("mul", x, x, part="square")


_reduce("ReduceMean", "mean")
_reduce("ReduceMax", "amax")
_reduce("ReduceMin", "amin")
_reduce("ReduceSum", "sum")
_reduce("ReduceSumSquare", "sum", _square)
_reduce("ReduceL2", "sum", _square, "sqrt")
_reduce("ReduceL1", "sum", lambda site, x: site.emit("abs", x, part="abs"))
_reduce("ReduceLogSum", "sum", after="log")


@_onnx("LogSoftmax")
def log_softmax(site: OperatorContext, x: Value, *, axis: int = -1) -> Value:
    """x − max − log Σ exp(x − max)."""
    if site.opset < 13:
        raise site.refuse("a log-softmax is supported from opset 13 on; export with that")
    dims = [site.axis(axis, len(x.shape))]
    largest = site.emit("amax", x, dims=dims, keepdim=True, part="max")
    shifted = site.emit("sub", x, largest, part="shifted")
    powers = site.emit("exp", shifted, part="exp")
    total = site.emit("sum", powers, dims=dims, keepdim=True, part="sum")
    return site.emit("sub", shifted, site.emit("log", total, part="log"))


@_onnx("LpNormalization")
def lp_normalization(site: OperatorContext, x: Value, *, axis: int = -1, p: int = 2) -> Value:
    if p not in (1, 2):
        raise site.refuse(f"its p is {p}; it must be 1 or 2")
    part = _square(site, x) if p == 2 else site.emit("abs", x, part="abs")
    total = site.emit("sum", part, dims=[site.axis(axis, len(x.shape))], keepdim=True, part="sum")
    norm = site.emit("sqrt", total, part="norm") if p == 2 else total
    # Nothing but zeros stays that.
    return site.emit("div", x, site.emit("maximum", norm, site.value(1e-30), part="positive"))


def _extreme(onnx: str, sign: float) -> None:
    def arg(
        site: OperatorContext, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
    ) -> Value:
        if select_last_index:
            raise site.refuse("the last of equal elements is not supported, the first is")
        turned = x if sign > 0 else site.emit("mul", x, site.value(sign), part="turned")
        dim = site.axis(axis, len(x.shape))
        return site.whole(site.emit("argmax", turned, dim=dim, keepdim=bool(keepdims)))

    _onnx(onnx)(arg)


_extreme("ArgMax", 1.0)
_extreme("ArgMin", -1.0)
