"""Captures a PyTorch module as a `Network`, by `torch.export`."""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._decomp import decomposition_table
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.utils import _pytree as pytree

from videoquant.errors import NetworkError
from videoquant.network.aten_math import ATEN_MATH
from videoquant.network.aten_norms import ATEN_NORMS
from videoquant.network.aten_operators import ATEN
from videoquant.network.aten_select import ATEN_SELECT
from videoquant.network.aten_shapes import ATEN_SHAPES
from videoquant.network.builder import Builder, OperatorContext, Value, one_line
from videoquant.network.graph import Network, unique
from videoquant.network.preprocessing import Preprocessing
from videoquant.network.rebatch import one_frame
from videoquant.torch_settings import plain_defaults

OPERATORS = {**ATEN, **ATEN_SHAPES, **ATEN_MATH, **ATEN_NORMS, **ATEN_SELECT}
IGNORED = {"_assert_tensor_metadata"}


def capture(
    module: nn.Module,
    example_inputs: tuple[Tensor, ...] | Tensor,
    *,
    name: str | None = None,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Capture a module as it computes in eval mode; later training of the module does not alter the network.

    example_inputs: one float tensor N×C×H×W; the network is for one frame of this size.
    name: default the module's class.
    preprocessing: how a frame becomes the input; default pixels / 255, RGB.

    Layers are called as their modules ("layer1.0.conv1"), other operators as the module that computes them
    and their own name ("layer1.0.add"). Outputs are called as the keys of a returned dict; "output" where one
    tensor is returned; "output_0", "output_1", … of a tuple.

    Buffers that the module changes, in place, are states: what each holds when it is captured, zeros, is what
    the first frame of a video finds.

    Raises `NetworkError` where `torch.export` cannot follow the module, and for an operator, an input or an
    output that is not supported.
    """
    name = name or type(module).__name__
    example_inputs = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if len(example_inputs) != 1 or not isinstance(example_inputs[0], Tensor):
        kinds = ", ".join(type(value).__name__ for value in example_inputs) or "nothing"
        raise NetworkError(f"{name}: a network has one input, the image, as a tensor; got {kinds}")
    example = example_inputs[0]
    if not isinstance(module, nn.Module):
        raise NetworkError(f"{name}: captured are modules (torch.nn.Module); this is none")
    if example.dim() != 4 or not example.is_floating_point() or example.numel() == 0:
        got = f"{example.dtype} of shape {tuple(example.shape)}"
        raise NetworkError(f"{name}: the example input must be floating-point numbers N×C×H×W; got {got}")
    with plain_defaults(), torch.random.fork_rng(devices=[]):
        return _capture(name, module, example, preprocessing)


def _capture(name: str, module: nn.Module, example: Tensor, preprocessing: Preprocessing | None) -> Network:
    own = next((tensor for tensor in module.parameters() if tensor.is_floating_point()), example)
    example_inputs = (example.detach().to(own.device, own.dtype),)
    walk = _Capture(name, _export(name, module, example_inputs), example_inputs[0])
    return one_frame(walk.builder.build(walk.run(), preprocessing))


def _export(name: str, module: nn.Module, example_inputs: tuple[Tensor, ...]) -> ExportedProgram:
    try:
        with _eval_mode(module), _quiet(), torch.no_grad():
            # Decomposing nothing still makes every in-place operator a plain one, through views as well.
            return _in_known_operators(torch.export.export(module, example_inputs).run_decompositions({}))
    except Exception as error:  # torch.export runs the module, which may raise anything
        raise NetworkError(f"{name}: torch.export cannot capture it: {one_line(error)}") from None


def _in_known_operators(program: ExportedProgram) -> ExportedProgram:
    """Operators that have no translation written with others that have one, where PyTorch itself can."""
    refused: set[Any] = set()
    while unknown := _unknown(program) - refused:
        op = min(unknown, key=str)
        attempt = _without(program, op)
        program = attempt or program
        refused |= set() if attempt else {op}
    return program


@cache
def _decompositions() -> dict[Any, Any]:
    """What PyTorch writes operators with, by operator; made in a second, and only where one is needed."""
    return {**decomposition_table, **dict(torch.export.default_decompositions().items())}  # type: ignore[no-untyped-call]


def _without(program: ExportedProgram, op: Any) -> ExportedProgram | None:
    """The program with one operator written with others; None where one of those has no translation."""
    known, others, wanted = _decompositions(), _unknown(program) - {op}, {op}
    for _ in range(8):  # decompositions within decompositions
        if not wanted <= known.keys():
            return None
        program = program.run_decompositions({one: known[one] for one in wanted})
        wanted = _unknown(program) - others
        if not wanted:
            return program
    return None


def _unknown(program: ExportedProgram) -> set[Any]:
    """The operators on what is computed at run time that have no translation."""
    signature = program.graph_signature
    changed = set(signature.buffers_to_mutate.values())
    fixed = {name for name, buffer in signature.inputs_to_buffers.items() if buffer not in changed}
    fixed |= signature.inputs_to_parameters.keys() | signature.inputs_to_lifted_tensor_constants.keys()
    running: set[fx.Node] = set()
    found = set()
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name not in fixed:
            running.add(node)
        elif node.op == "call_function" and running & set(node.all_input_nodes):
            running.add(node)
            if node.target is not operator.getitem and _name_of(node.target) not in (*OPERATORS, *IGNORED):
                found.add(node.target)
    return found


def _name_of(target: Any) -> str:
    """ "conv2d" of aten, "prims::iota" of others; what computes sizes alone is one of Python's functions."""
    schema = getattr(target, "_schema", None)
    return str(target.__name__ if schema is None else schema.name).removeprefix("aten::")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings and logs of `torch.export`: what it cannot follow is one line of ours."""
    names = ["", *(name for name in logging.root.manager.loggerDict if name.split(".")[0] == "torch")]
    handlers = {handler for name in names for handler in logging.getLogger(name).handlers}
    for handler in handlers:
        handler.addFilter(_not_of_pytorch)
    try:
        # It prints the graph that it could not follow.
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(_not_of_pytorch)


def _not_of_pytorch(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] != "torch"


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode for a while; then every submodule has its own mode again."""
    modes = {submodule: submodule.training for submodule in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for submodule, training in modes.items():
            submodule.training = training


class _Capture:
    """Walks through an exported graph; `values` holds what each of its nodes stands for by then."""

    def __init__(self, name: str, program: ExportedProgram, example: Tensor) -> None:
        self.program = program
        signature = program.graph_signature
        self.builder = Builder(name, str(signature.user_inputs[0]), example.shape)
        self.values: dict[fx.Node, Any] = {}
        # A buffer that the module changes is a state: the buffer → what stands for it in the graph.
        self.states: dict[str, Value | None] = dict.fromkeys(signature.buffers_to_mutate.values())
        self.owners = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }

    def run(self) -> dict[str, Value]:
        """Emit every node; the values that are the outputs, by name."""
        nodes = list(self.program.graph.nodes)
        for index, node in enumerate(nodes):
            if node.op == "placeholder":
                self.values[node] = self._placeholder(node)
            elif node.op == "call_function":
                self.values[node] = self._call(node, index, len(nodes))
        return self._outputs(nodes[-1])

    def _placeholder(self, node: fx.Node) -> Value | Tensor:
        if node.name not in self.owners:
            return self.builder.input
        owner = self.owners[node.name]
        tensors = self.program.state_dict if owner in self.program.state_dict else self.program.constants
        tensor: Tensor = tensors[owner].detach()
        if owner in self.states:
            if not tensor.is_floating_point() or not tensor.dim() or bool(tensor.any()):
                raise NetworkError(
                    f"{self.builder.name}: it changes its buffer {owner!r} as it runs, so that is a state, "
                    "which must be of one dimension or more, and floating-point zeros before the first frame"
                )
            state = self.states[owner] = self.builder.state(owner, tensor.shape)
            return state
        return tensor.to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)

    def _call(self, node: fx.Node, index: int, count: int) -> Any:
        target: Any = node.target
        args: Any = fx.node.map_aggregate(node.args, self._argument)
        kwargs: Any = fx.node.map_aggregate(node.kwargs, self._argument)
        if target is operator.getitem:
            return args[0][args[1]]
        op = _name_of(target)
        path = self._path(node, op)
        place = f"{self.builder.name}: operator {op} at {path!r} (node {node.name!r}, {index + 1} of {count})"
        site = OperatorContext(self.builder, path, place)
        running = any(isinstance(leaf, Value) for leaf in pytree.tree_leaves((args, kwargs)))
        if not running and torch.Tag.nondeterministic_seeded not in getattr(target, "tags", ()):
            return target(*args, **kwargs)
        if op in IGNORED:
            return None
        if op not in OPERATORS:
            supported = ", ".join(sorted(name for name in OPERATORS if not name.startswith("_")))
            raise site.refuse(f"it is not supported; supported are {supported}")
        return site.translate(OPERATORS[op], args, kwargs)

    def _argument(self, argument: Any) -> Any:
        return self.values[argument] if isinstance(argument, fx.Node) else argument

    def _path(self, node: fx.Node, op: str) -> str:
        """A node's name: its layer, else the owner of its weight, else its module and the operator."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        module, kind = (stack[-1][0], str(stack[-1][1])) if stack else ("", "")
        if module and "torch.nn." in kind:
            return str(module)
        for weight in (self.owners.get(argument.name, "") for argument in node.all_input_nodes):
            owner = weight.removesuffix("weight").rstrip("._")
            if weight.endswith("weight") and owner:
                return str(owner)
        return f"{module}.{op.strip('_')}".lstrip(".")

    def _outputs(self, node: fx.Node) -> dict[str, Value]:
        specs = self.program.graph_signature.output_specs
        arguments: Any = node.args[0]
        returned = [(spec, self._argument(value)) for spec, value in zip(specs, arguments, strict=True)]
        for spec, value in returned:
            state = self.states.get(spec.target or "") if spec.kind is OutputKind.BUFFER_MUTATION else None
            if state is not None:
                if not isinstance(value, Value):
                    raise NetworkError(
                        f"{self.builder.name}: what its buffer {spec.target!r} becomes is not computed"
                    )
                self.builder.become(state, value, "what it changes to")
        results = [value for spec, value in returned if spec.kind is OutputKind.USER_OUTPUT]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            tree = pytree.tree_unflatten(results, self.program.call_spec.out_spec)
        outputs: dict[str, Any] = {}
        for path, value in pytree.tree_flatten_with_path(tree)[0]:
            outputs[unique(_output_name(path), outputs)] = value
        outputs = {name: value for name, value in outputs.items() if value is not None}
        if not outputs:
            raise NetworkError(f"{self.builder.name}: it returns no tensor")
        for name, value in outputs.items():
            if not isinstance(value, Value):
                raise NetworkError(f"{self.builder.name}: output {name!r} is not computed from the input")
        return outputs


def _output_name(path: tuple[Any, ...]) -> str:
    """The place of an output in what the module returns: "mask", "output_0", "heads.1"."""
    if not path:
        return "output"
    first = f"output_{path[0].idx}" if isinstance(path[0], pytree.SequenceKey) else _key(path[0])
    return ".".join([first, *(_key(key) for key in path[1:])])


def _key(key: Any) -> str:
    if isinstance(key, pytree.SequenceKey):
        return str(key.idx)
    return str(key.key if isinstance(key, pytree.MappingKey) else key.name)
