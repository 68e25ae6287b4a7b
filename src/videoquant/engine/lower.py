"""From a quantized network to a plan: fused operators on integer codes, in the order they run."""

from __future__ import annotations

from videoquant.engine.fusion import fuse
from videoquant.engine.program_builder import ProgramBuilder
from videoquant.engine.quantizers import FrameKind, residual_time
from videoquant.engine.split import split
from videoquant.engine.tables import Grids, Slots
from videoquant.errors import SchemeError
from videoquant.runtime.integer_network import IntegerNetwork
from videoquant.runtime.program import Program
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import task_for


def lower(quantized: QuantizedNetwork) -> IntegerNetwork:
    """The plan of a quantized network, ready to run.

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
    for state in body.states:
        slots.get("value", state, body.sizes[state], keep=True)
    kinds: list[FrameKind] = ["key", "residual"] if residual_time(quantized) else ["key"]
    programs: dict[str, Program] = {
        kind: ProgramBuilder(quantized, body, groups, slots, grids, kind).program for kind in kinds
    }
    given = {
        value: body.output(value, slots.get("value", body.value(value), body.sizes[body.value(value)]))
        for value in body.given
    }
    plan = IntegerNetwork(
        network.name,
        network.input_shape,
        network.preprocessing,
        quantized.scheme,
        tuple(slots.entries),
        tuple(grids.entries),
        programs,
        given,
        tuple(body.postprocess),
        network.outputs,
        task_for(network),
    )
    _ = (
        plan.native
    )  # has limits of its own, such as sums that could leave 32 bits: those are refused here too
    return plan


def check_scheme(scheme: Scheme) -> None:
    """Raise `SchemeError` for a scheme that the engine does not run, whatever the network."""
    if getattr(scheme.time, "tolerance", 0):
        raise SchemeError(f"{scheme}: the engine runs adaptive widths without a tolerance (tau=) only")
