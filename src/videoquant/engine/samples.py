"""Features of a convolution's output before it is computed: only the pixels that they are taken from.

Ranges that are predicted from a value are needed by the program that computes it, if it is to store codes.
Its features read every a-th row and b-th column, and those are what the same convolution gives with a and b
times the stride. So the value need not be stored as float32 and read again, which takes longer than its
layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from videoquant.engine.body import Body
from videoquant.engine.fusion import Group
from videoquant.engine.operators import Operator
from videoquant.network.graph import Network
from videoquant.ranges.features import sample_steps
from videoquant.runtime.sizes import Size

SKIPPED = 8  # of so many pixels at most one is computed early
# Products of one output that take about as long as storing it and reading it again.
PRODUCTS = 16


def early_samples(
    network: Network,
    body: Body,
    groups: Sequence[Group],
    made: Mapping[str, int],
    watched: Mapping[str, int],
) -> dict[str, tuple[int, int]]:
    """The values whose features can be taken before they are computed, with the steps (rows, columns) of it.

    network: whose body it is.
    made: the index of the group that gives each value.
    watched: the values that features are taken of, and of about how many elements.
    """
    found = {value: _sampled(network, body, groups[made[value]], value, watched[value]) for value in watched}
    return {value: steps for value, steps in found.items() if steps is not None}


def _sampled(network: Network, body: Body, group: Group, value: str, samples: int) -> tuple[int, int] | None:
    """The steps for a value that a convolution and functions of one value give; None for any other."""
    if group.head is None or group.head.op != "conv2d":
        return None
    for index in range(group.values.index(value)):
        operand = group.operand(index)
        if operand is not None and body.number(operand) is None:
            return None
    height, width, channels = body.sizes[value]
    rows, columns, _ = sample_steps((1, channels, height, width), samples)
    # The features are taken of all of the sample.
    kept = sampled_size(body.sizes[value], (rows, columns))
    whole = sample_steps((1, kept[2], kept[0], kept[1]), samples) == (1, 1, 1)
    # Computing many pixels twice, or few of a layer with many products, takes longer than storing the value
    # and reading it again.
    products = network.tensors[f"{group.head.name}.weight"][0].numel()
    skipped = max(SKIPPED, products / PRODUCTS)
    return (rows, columns) if whole and rows * columns >= skipped else None


def sampled_size(size: Size, steps: tuple[int, int]) -> Size:
    """The size of every a-th row and b-th column."""
    return math.ceil(size[0] / steps[0]), math.ceil(size[1] / steps[1]), size[2]


def sampled_layer(operator: Operator, steps: tuple[int, int]) -> Operator:
    """A convolution that gives every a-th row and b-th column of what `operator` gives."""
    stride = [stride * step for stride, step in zip(operator.attrs["stride"], steps, strict=True)]
    return replace(operator, attrs={**operator.attrs, "stride": stride})
