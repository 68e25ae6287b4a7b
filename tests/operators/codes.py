"""What hands values on as they are: a map, values of codes, the sparse part of Dense + Sparse, a constant."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.plan_draft import Draft, channel_counts, draw_codes
from tests.operators.tables import drawn, meaning


@meaning("map")
def copy(op, x):
    return x.copy()


@meaning("sparse")
def sparse(op, x):
    return x


@meaning("dequantize")
def dequantize(op, codes, *, grid, sparse=None):
    x = (codes.astype(np.float32) - np.float32(grid["zero"])) * np.float32(grid["scale"])
    return x if sparse is None else x + sparse


@meaning("constant")
def constant(op):
    return op.tensors["value"].copy()


@drawn("map")
def draw_map(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    return draft.op(kind, [draft.source], draft.size(draft.source))


@drawn("dequantize")
def draw_dequantize(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    codes, grid = draw_codes(draw, draft, draft.source)
    return draft.op(kind, [codes], draft.size(draft.source), grid=grid)


@drawn("constant")
def draw_constant(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(channel_counts)
    return draft.op(kind, [], size, tensors={"value": draft.floats(*size)})
