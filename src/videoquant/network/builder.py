"""What both readers share: nodes are emitted one by one, and every value's shape is known at once.

Long because a context says nothing without its builder.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.fold import fold_batch_norm, scale_and_shift
from videoquant.network.graph import Network, Node, unique
from videoquant.network.operators import OPERATORS, on_meta
from videoquant.network.patterns import recognized
from videoquant.network.preprocessing import Preprocessing
from videoquant.ranges.grid import Grid


@dataclass(frozen=True)
class Value:
    """What a node of the graph under construction computes, or its input.

    name: the node's. shape: of what it gives.
    whole: the source graph has it as integers, though a network has floats alone: division cuts.
    grid: the source graph has it as codes of this grid; what flows is what they stand for.
    """

    name: str
    shape: tuple[int, ...]
    whole: bool = False
    grid: Grid | None = None


# What an operator of the source graph reads: a value computed at run time, or a constant.
Argument = Value | Tensor | float

# Emits the nodes of one source operator and returns its output, or its outputs. It gets the context, then the
# operator's own arguments and attributes under their own names.
Translation = Callable[..., Value | Sequence[Value | None]]
T = TypeVar("T", bound=Translation)

SLICES = 16  # at most, in place of a gather: they follow changes pixel by pixel, a gather is computed anew

# Operators that give whole numbers where all that they read are.
KEEPING = frozenset(
    (
        *("add", "sub", "mul", "minimum", "maximum", "fmod", "clamp", "abs", "sum", "amax", "amin", "sign"),
        *("reshape", "permute", "slice", "concat", "pad", "expand", "tile", "gather", "gather_elements"),
        *("gather_nd", "topk_values"),
    )
)


class OperatorRegistry(dict[str, Translation]):
    """The operators that a reader understands: name → translation."""

    def register(self, *names: str) -> Callable[[T], T]:
        def add(translation: T) -> T:
            self.update(dict.fromkeys(names, translation))
            return translation

        return add


class Builder:
    """Collects nodes and tensors, then makes the `Network`.

    name: what the network is called.
    input, input_shape: its input's name and N×C×H×W.
    nodes, tensors: those added so far, by name. known: their values, and the input.
    fixed: layers whose weights lie on a grid of the source's: no batch norm goes into them.
    states: by the name of a node "state", the value that it is on the next frame.
    """

    def __init__(self, name: str, input: str, input_shape: Sequence[int]) -> None:
        self.name = name
        self.input = Value(input, tuple(input_shape))
        self.nodes: dict[str, Node] = {}
        self.tensors: dict[str, Tensor] = {}
        self.known = {input: self.input}
        self.fixed: set[str] = set()
        self.states: dict[str, Value] = {}

    def add(
        self,
        name: str,
        op: str,
        inputs: Sequence[Value],
        tensors: dict[str, Tensor],
        attributes: dict[str, Any],
    ) -> Value:
        """Append a node, named `name` or the next free name after it; tensors are kept as float32.

        Raises `RuntimeError` (of PyTorch) where the operator cannot read such shapes, `NetworkError` where
        its result is above the size limit.
        """
        if op == "concat":  # what holds nothing adds nothing, and files refuse it
            inputs = [value for value in inputs if 0 not in value.shape] or inputs
        tensors = {short: tensor.float().contiguous() for short, tensor in tensors.items()}
        meta = {short: torch.empty_like(tensor, device="meta") for short, tensor in tensors.items()}
        values = [torch.empty(value.shape, dtype=torch.float32, device="meta") for value in inputs]
        # A batch norm exists only until `build` folds it, so it is no operator of a network.
        y = values[0] if op == "batch_norm" else on_meta(op, values, meta, attributes)
        check_size(4 * math.prod(y.shape), f"{self.name}: node {name!r}", NetworkError)
        name = unique(name, self.known)
        self.nodes[name] = Node(name, op, tuple(value.name for value in inputs), attributes, tuple(tensors))
        self.tensors.update({f"{name}.{short}": tensor for short, tensor in tensors.items()})
        read = inputs[1:] if op == "where" else inputs[:1] if op.startswith("gather") else inputs
        whole = op in KEEPING | {"where"} and all(value.whole for value in read)
        self.known[name] = Value(name, tuple(y.shape), whole)
        return self.known[name]

    def build(
        self,
        outputs: dict[str, Value],
        preprocessing: Preprocessing | None,
        metadata: Mapping[str, str] | None = None,
    ) -> Network:
        """The network of the nodes that the outputs need, batch norm folded.

        Raises `NetworkError` where it has no outputs.
        """
        if not outputs:
            raise NetworkError(f"{self.name}: it has no outputs")
        names = {output: value.name for output, value in outputs.items()}
        shapes = {name: value.shape for name, value in self.known.items()}
        states = {state: value.name for state, value in self.states.items()}
        nodes = needed(recognized(list(self.nodes.values()), self.tensors, shapes), names, states)
        states = {node.name: states[node.name] for node in nodes if node.op == "state"}
        given = {f"output {output}": value for output, value in names.items()}
        given |= {f"state {state}": value for state, value in states.items()}
        nodes, tensors, given = fold_batch_norm(nodes, self.tensors, given, self.fixed)
        names = {output: given[f"output {output}"] for output in names}
        states = {state: given[f"state {state}"] for state in states}
        kept = {f"{node.name}.{short}" for node in nodes for short in node.tensors}
        tensors = {name: tensor for name, tensor in tensors.items() if name in kept}
        of = (nodes, self.input.name, self.input.shape, names, tensors, preprocessing, self.name)
        return Network(*of, metadata, states)

    def state(self, name: str, shape: Sequence[int]) -> Value:
        """A value that is 0 on a video's first frame, then what `become` says. shape: for all frames at once.

        Raises `NetworkError` where its first dimension is not the frames', or it is above the size limit.
        """
        frames = self.input.shape[0]
        if not shape or shape[0] % frames:
            found = "×".join(map(str, shape)) or "one number"
            raise NetworkError(
                f"{self.name}: state {name!r} is {found}; its first dimension must be the frames'"
            )
        return self.add(name, "state", [self.input], {}, {"shape": [shape[0] // frames, *shape[1:]]})

    def become(self, state: Value, value: Value, fed_by: str) -> None:
        """Say what a state is on the next frame. fed_by: the value in words.

        Raises `NetworkError` where its shape is another.
        """
        if state.shape != value.shape:
            shapes = ["×".join(map(str, shape)) for shape in (state.shape, value.shape)]
            raise NetworkError(
                f"state {state.name!r} is {shapes[0]}, but {fed_by}, which feeds it, {shapes[1]}; both must "
                "be of one shape"
            )
        self.states[state.name] = value

    def compute(self, outputs: Sequence[Value], x: Tensor) -> list[Tensor]:
        """What the nodes give for an input: how a source graph's constants are computed."""
        names = {str(index): value.name for index, value in enumerate(outputs)}
        nodes, tensors, names = fold_batch_norm(list(self.nodes.values()), self.tensors, names)
        values = {self.input.name: x}
        for node in nodes:
            own = {short: tensors[f"{node.name}.{short}"] for short in node.tensors}
            inputs = [values[name] for name in node.inputs]
            values[node.name] = OPERATORS[node.op](*inputs, **own, **node.attributes)
        return [values[names[str(index)]] for index in range(len(outputs))]


@dataclass(frozen=True)
class OperatorContext:
    """One operator of the source graph while it is translated: emits its nodes and refuses what it cannot be.

    name: what its node is called.
    place: where it stands, for messages.
    outputs: how many it has.
    opset: the version of the ONNX operators.
    """

    builder: Builder
    name: str
    place: str
    outputs: int = 1
    opset: int = 0

    def translate(
        self, translation: Translation, arguments: Sequence[Any], attributes: dict[str, Any]
    ) -> Value | Sequence[Value | None]:
        """Call a translation; an argument or attribute that it does not know is refused.

        So is a constant, or none, for a parameter declared as `Value`, and none for an `Argument`.
        """
        signature = inspect.signature(translation)
        try:
            call = signature.bind(self, *arguments, **attributes)
        except TypeError as error:
            raise self.refuse(f"this form of the operator is not supported ({error})") from None
        for name, argument in call.arguments.items():
            parameter = signature.parameters[name]
            if argument is None and parameter.annotation in ("Value", "Argument"):
                raise self.refuse(f"its input {name!r} is left out, which is not optional")
            if parameter.annotation == "Value":
                self.running(argument)
        return translation(*call.args, **call.kwargs)

    def refuse(self, reason: str) -> NetworkError:
        return NetworkError(" ".join(f"{self.place}: {reason}".split()))

    def emit(
        self,
        op: str,
        *inputs: Value,
        part: str = "",
        tensors: dict[str, Tensor] | None = None,
        **attributes: Any,
    ) -> Value:
        """Append a node named after this site (`name.part` where there is a part) and return its output."""
        name = f"{self.name}.{part}" if part else self.name
        try:
            return self.builder.add(name, op, inputs, tensors or {}, attributes)
        except RuntimeError as error:
            raise self.refuse(one_line(error)) from None

    def value(self, argument: Argument) -> Value:
        """A run-time value as it is, a constant as a `constant` node."""
        if isinstance(argument, Value):
            return argument
        tensor = torch.as_tensor(argument, device="cpu")
        value = self.emit("constant", part="constant", tensors={"value": tensor})
        return value if tensor.is_floating_point() else self.whole(value)

    def whole(self, value: Value) -> Value:
        """The value as one of integers."""
        self.builder.known[value.name] = replace(value, whole=True)
        return self.builder.known[value.name]

    def running(self, argument: Argument) -> Value:
        """The argument, which must be computed at run time."""
        if not isinstance(argument, Value):
            raise self.refuse("its first input is a constant; only its other inputs may be")
        return argument

    def fixed(self, argument: Argument, what: str) -> Tensor:
        """The argument as a tensor, which must be constant. what: "weights", for the message."""
        if isinstance(argument, Value):
            raise self.refuse(f"its {what} are computed at run time; they must be constant")
        return torch.as_tensor(argument, device="cpu")

    def integers(self, argument: Any, what: str) -> list[int]:
        """A constant tensor, a number or a sequence as a list."""
        if isinstance(argument, Sequence):
            return [int(number) for number in argument]
        return [int(number) for number in self.fixed(argument, what).flatten().tolist()]

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.refuse(f"axis {axis} does not exist; there are {rank} dimensions")
        return axis % rank

    def axes(self, axes: Sequence[int], rank: int) -> list[int]:
        """Axes counted from the front, in the order given."""
        found = [self.axis(axis, rank) for axis in axes]
        if len(set(found)) < len(found):
            raise self.refuse(f"axes {list(axes)} name a dimension twice")
        return found

    def convolve(
        self, op: str, x: Value, weight: Argument, bias: Argument | None, **attributes: Any
    ) -> Value:
        """A conv2d, conv_transpose2d or linear, whose weights must be constant."""
        weight = self.fixed(weight, "weights")
        tensors = {"weight": weight}
        if bias is not None:
            tensors["bias"] = self.fixed(bias, "biases").flatten()
        if op != "linear" and (weight.dim() != 4 or len(x.shape) != 4):
            raise self.refuse(
                f"only convolutions over one or two dimensions are supported; this has {len(x.shape) - 2}"
            )
        groups = attributes.get("groups", 1)
        if groups < 1 or (op == "conv_transpose2d" and (x.shape[1] != len(weight) or len(weight) % groups)):
            # PyTorch sees this only when it runs.
            shape = tuple(weight.shape)
            raise self.refuse(f"weights of shape {shape} in {groups} groups cannot read a value of {x.shape}")
        y = self.emit(op, x, tensors=tensors, **attributes)
        channels = y.shape[-1 if op == "linear" else 1]
        if bias is not None and len(tensors["bias"]) != channels:
            raise self.refuse(f"it has {len(tensors['bias'])} biases for {channels} channels")
        return y

    def batch_norm(
        self, x: Value, weight: Tensor | None, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float
    ) -> Value:
        weight = torch.ones_like(var) if weight is None else weight
        bias = torch.zeros_like(var) if bias is None else bias
        tensors = {"weight": weight, "bias": bias, "mean": mean, "var": var}
        channels = x.shape[1] if len(x.shape) > 1 else 0
        if any(tuple(tensor.shape) != (channels,) for tensor in tensors.values()):
            raise self.refuse(f"a batch norm of {len(mean)} channels cannot read a value of shape {x.shape}")
        producer = self.builder.nodes.get(x.name)
        if producer is not None and producer.op == "linear" and len(x.shape) != 2:
            # Here dimension 1 is not the features that the linear layer computes: it must not be folded.
            scale, shift = scale_and_shift(tensors, eps)
            return self.emit("affine", x, tensors={"weight": scale, "bias": shift})
        return self.emit("batch_norm", x, tensors=tensors, eps=eps)

    def scaled(self, x: Value, scale: Argument | None, shift: Argument | None) -> Value:
        """x · scale + shift, each of which may be left out."""
        if scale is not None:
            x = self.emit("mul", x, self.value(scale), part="scale")
        return x if shift is None else self.emit("add", x, self.value(shift), part="shift")

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """x in another shape, every size given; a first size that stays is the batch and is left open."""
        before = self.builder.nodes.get(x.name)
        if before is not None and before.op == "reshape":
            x = self.builder.known[before.inputs[0]]
        if tuple(shape) == x.shape:
            return x
        batch = [0] if shape and x.shape and shape[0] == x.shape[0] else list(shape[:1])
        return self.emit("reshape", x, shape=[*batch, *shape[1:]])

    def permute(self, x: Value, dims: Sequence[int]) -> Value:
        """x with its dimensions in another order; one permutation of what another gave is a single one."""
        before = self.builder.nodes.get(x.name)
        if before is not None and before.op == "permute":
            x, dims = self.builder.known[before.inputs[0]], [before.attributes["dims"][dim] for dim in dims]
        return x if list(dims) == sorted(dims) else self.emit("permute", x, dims=list(dims))

    def slice(self, x: Value, dim: int, start: int, end: int, step: int = 1) -> Value:
        """Elements of a dimension, with Python's rules for negative and too large indices."""
        if step < 1:
            raise self.refuse(f"slices with step {step} are not supported; it must be positive")
        dim = self.axis(dim, len(x.shape))
        start, end, step = slice(start, end, step).indices(x.shape[dim])
        if (start, end, step) == (0, x.shape[dim], 1):
            return x
        return self.emit("slice", x, dim=dim, start=start, end=max(start, end), step=step)

    def pick(self, x: Value, dim: int, places: Sequence[int]) -> Value:
        """Elements of a dimension by their places: few evenly spaced runs are slices, else it is a gather."""
        runs: list[range] = []
        for place in places:
            last = runs[-1] if runs else range(0)
            step = place - last[-1] if last else 0
            if step > 0 and (len(last) == 1 or step == last.step):
                runs[-1] = range(last.start, place + 1, step)
            else:
                runs.append(range(place, place + 1))
        if len(runs) > SLICES:
            return self.emit("gather", x, self.value(torch.tensor(list(places))), dim=dim)
        slices = [self.slice(x, dim, run.start, run.stop, run.step) for run in runs]
        return slices[0] if len(slices) == 1 else self.emit("concat", *slices, dim=dim)

    def split(self, x: Value, dim: int, sizes: Sequence[int]) -> list[Value]:
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [self.slice(x, dim, end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def assign(self, x: Value, dim: int, start: int, part: Value) -> Value:
        """x with a part in place of the elements from `start` on."""
        end = start + part.shape[dim]
        pieces = [self.slice(x, dim, 0, start)] if start else []
        pieces += [part]
        pieces += [self.slice(x, dim, end, x.shape[dim])] if end < x.shape[dim] else []
        return self.emit("concat", *pieces, dim=dim) if len(pieces) > 1 else part

    def select(self, x: Value, dim: int, index: int) -> Value:
        """One element of a dimension, which goes."""
        dim = self.axis(dim, len(x.shape))
        if not -x.shape[dim] <= index < x.shape[dim]:
            raise self.refuse(f"index {index} is outside dimension {dim} of shape {x.shape}")
        index = index % x.shape[dim]
        return self.reshape(self.slice(x, dim, index, index + 1), x.shape[:dim] + x.shape[dim + 1 :])


def dimensions(dims: Sequence[int], rank: int) -> list[int]:
    """Dimensions counted from the front, in order; no dims are all of them."""
    return sorted(dim % rank for dim in dims) if len(dims) else list(range(rank))


def chunks(size: int, share: int) -> list[int]:
    """Parts of `share` elements; the last one is what is left."""
    return [min(share, size - start) for start in range(0, size, share)]


def one_line(error: BaseException) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def needed(
    nodes: Sequence[Node], outputs: Mapping[str, str], states: Mapping[str, str] | None = None
) -> list[Node]:
    """The nodes that outputs depend on, on this frame or by a state on a later one."""
    wanted, before = set(outputs.values()), -1
    while before < len(wanted):
        before = len(wanted)
        wanted.update(value for state, value in (states or {}).items() if state in wanted)
        for node in reversed(nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
    return [node for node in nodes if node.name in wanted]
