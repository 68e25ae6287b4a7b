"""From a quantized network to a plan: fused operators on integer codes, in the order they run."""

from __future__ import annotations

from videoquant.engine.body import split
from videoquant.engine.fusion import fuse
from videoquant.engine.points import FrameKind, residual_time
from videoquant.engine.program import Program
from videoquant.engine.tables import Grids, Slots
from videoquant.errors import SchemeError
from videoquant.runtime.plan import Plan
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork


def lower(quantized: QuantizedNetwork) -> Plan:
    """The plan of a quantized network.

    It computes what `quantized.stream()` does, bit for bit; only average pools, bilinear resizing, softmax,
    the exponential and layers in floating point may round otherwise, and then a code of theirs by one step.
    Raises `NetworkError`, naming the node, for a network that cannot be lowered, and `SchemeError` for a
    scheme that the engine does not run.
    """
    check_scheme(quantized.scheme)
    network = quantized.network
    body = split(network)
    groups = fuse(body, network.input)
    slots, grids = Slots(network.input, body.sizes[network.input]), Grids()
    kinds: list[FrameKind] = ["key", "residual"] if residual_time(quantized) else ["key"]
    programs = {kind: Program(quantized, body, groups, slots, grids, kind) for kind in kinds}
    outputs = {
        value: slots.get("value", body.value(value), body.sizes[body.value(value)]) for value in body.given
    }
    spec = {
        "version": 2,
        "slots": slots.entries,
        "grids": grids.entries,
        "programs": {
            kind: {"ops": program.ops, "updates": program.updates} for kind, program in programs.items()
        },
        "outputs": outputs,
    }
    plan = Plan(
        network.name,
        network.input_shape,
        network.preprocessing,
        quantized.scheme,
        spec,
        {value: network.shapes[value] for value in outputs},
        tuple(body.tail),
        {name: tensor.detach().numpy() for name, tensor in body.tail_tensors.items()},
        network.outputs,
    )
    _ = (
        plan.native
    )  # has limits of its own, such as sums that could leave 32 bits: those are refused here too
    return plan


def check_scheme(scheme: Scheme) -> None:
    """Raise `SchemeError` for a scheme that the engine does not run, whatever the network."""
    if getattr(scheme.time, "tolerance", 0):
        raise SchemeError(f"{scheme}: the engine runs adaptive widths without a tolerance (tau=) only")
