"""What a plan computes behind its programs: its nodes, in order, by the operators of `runtime/operators/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from videoquant.runtime.operators import ELEMENTS, OPERATORS, Array
from videoquant.runtime.program import PostprocessNode


def run(
    nodes: Sequence[PostprocessNode],
    values: dict[str, Array],
    allow: Callable[[str, int], None] = lambda name, elements: None,
    hold: Callable[[PostprocessNode, Sequence[Array], Array], Array] = lambda node, inputs, y: y,
) -> None:
    """Run nodes in order; each adds its value to `values`, which holds what they read.

    allow: raises where a value has more elements than it may; it is asked before one is computed.
    hold: gives what a node's value is in the end, for what it reads and what was computed.
    """
    for node in nodes:
        inputs = [values[name] for name in node.inputs]
        elements = ELEMENTS.get(node.op)
        if elements is not None:
            allow(node.name, elements(*inputs, **node.attributes))
        with np.errstate(all="ignore"):  # infinity and NaN go their way, as in PyTorch
            y = np.asarray(OPERATORS[node.op](*inputs, **node.tensors, **node.attributes))
        values[node.name] = hold(node, inputs, y)
