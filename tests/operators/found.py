"""What is found in each frame: the largest channels, elements by computed indices, places of a map."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.plan_draft import Draft
from tests.operators.tables import Zoo, drawn, in_zoo, meaning


@meaning("topk")
def topk(op, x):
    order = np.argsort(-x if op.attrs["largest"] else x, -1, kind="stable")[..., : op.c]
    return order.astype(np.float32) if op.attrs["indices"] else np.take_along_axis(x, order, -1)


@meaning("gather")
def gather(op, x, index):
    a = op.attrs

    def places(name):
        found = np.array(0)
        for size, step in zip(a[f"{name}_sizes"], a[f"{name}_steps"], strict=True):
            found = found[..., None] + np.arange(size) * step
        return found.reshape(-1)

    at = places("pixel")
    for offset, step, size in zip(a["part_offsets"], a["part_steps"], a["part_sizes"], strict=True):
        named = index.reshape(-1)[places("index") + offset]
        named = np.where(named < 0, named + np.float32(size), named).clip(0, size - 1)
        at = at + named.astype(np.int64) * step
    return x.reshape(-1)[np.add.outer(at, places("channel"))].reshape(op.h, op.w, op.c)


@meaning("grid_sample")
def grid_sample(op, x, grid):
    a = op.attrs
    n, rows, columns = a["batches"], a["rows"], a["columns"]
    maps = torch.from_numpy(x).reshape(n, rows, columns, -1).permute(0, 3, 1, 2)
    places = torch.from_numpy(grid).reshape(n, -1, 1, 2)
    y = F.grid_sample(maps, places, a["mode"], a["padding"], a["align_corners"])
    return y.permute(0, 2, 3, 1).reshape(op.h, op.w, op.c).numpy()


@drawn("topk")
def draw_topk(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    attrs = {"largest": draw(st.booleans()), "indices": draw(st.booleans())}
    return draft.op(kind, [draft.source], (h, w, draw(st.integers(1, c))), attrs)


@drawn("gather")
def draw_gather(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    """Rows of a map by an index for each output pixel, or rows and columns by one each."""
    h, w, c = draft.size(draft.source)
    pixels, both = draw(st.integers(1, 30)), draw(st.booleans())
    index = draft.constant(1, pixels, 2, low=-h)
    attrs: dict[str, Any] = {"parts": 1 + both, "part_offsets": [0, 1][: 1 + both]}
    attrs |= {"part_steps": [w * c, c][: 1 + both], "part_sizes": [h, w][: 1 + both]}
    across = 1 if both else draw(st.integers(1, w))
    for name, size, step in (("pixel", across, c), ("channel", c, 1), ("index", across, 0)):
        attrs |= {f"{name}_dims": 1, f"{name}_sizes": [size], f"{name}_steps": [step]}
    for name, step in (("pixel", 0), ("index", 2)):
        attrs[f"{name}_dims"] += 1
        attrs[f"{name}_sizes"].insert(0, pixels)
        attrs[f"{name}_steps"].insert(0, step)
    return draft.op(kind, [draft.source, index], (1, pixels * across, c), attrs)


@drawn("grid_sample")
def draw_grid_sample(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    batches = draw(st.sampled_from([n for n in (1, 2, 3) if h % n == 0]))
    pixels = draw(st.integers(1, 20)) * batches
    grid = draft.constant(1, pixels, 2, low=-2)
    attrs = {
        "mode": draw(st.sampled_from(["bilinear", "nearest"])),
        "padding": draw(st.sampled_from(["zeros", "border", "reflection"])),
        "align_corners": draw(st.booleans()),
    }
    attrs |= {"batches": batches, "rows": h // batches, "columns": w}
    return draft.op(kind, [draft.source, grid], (1, pixels, c), attrs)


@in_zoo
class Found(Zoo):
    """The best places of a map, chosen as decoders choose them, and what stands there; each in every way."""

    def middle(self, x):
        n, c = x.shape[:2]
        rows = x.flatten(2).transpose(1, 2)
        scores = x.mean(1).flatten(1)
        values, best = scores.topk(9, 1)
        chosen = rows.gather(1, best[..., None].expand(n, 9, c)) * values[..., None]
        also = rows[0][best[0]] + rows[torch.arange(n)[:, None], scores.topk(9, 1, largest=False)[1]]
        strongest = torch.gather(x, 1, x.argmax(1, keepdim=True)) + x.argmax(1).unsqueeze(1) / c
        own = torch.gather(rows, 1, rows[:, :7].argsort(1))
        found = torch.cat([chosen + also, own], 1).mean(1)[..., None, None]
        return x * torch.sigmoid(found) + strongest


@in_zoo
class Sampled(Zoo):
    """A map at places that it computes itself, and its heads each at their own."""

    def middle(self, x):
        _, c, h, w = x.shape
        flow = torch.tanh(x[:, :2].permute(0, 2, 3, 1))
        y = F.grid_sample(x, flow, "bilinear", "zeros", align_corners=False)
        y = y + F.grid_sample(x, flow * 1.5, "nearest", "border", align_corners=True)
        heads = x.reshape(4, c // 4, h, w)
        places = torch.tanh(x.reshape(4, 2, h, w).permute(0, 2, 3, 1)) * 1.2
        return y + F.grid_sample(heads, places, "bilinear", "reflection", align_corners=False).reshape(
            x.shape
        )
