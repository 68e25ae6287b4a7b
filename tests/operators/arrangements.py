"""Operators that give a plan's values another order: arrange, join and pick."""

import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.plan_draft import Draft
from tests.operators.tables import Zoo, drawn, in_zoo, meaning


@meaning("arrange")
def arrange(op, x):
    a = op.attrs
    sizes = [*a["pixel_sizes"], *a["channel_sizes"]]
    steps = [*a["pixel_steps"], *a["channel_steps"]]
    places = np.array(a["start"])
    for size, step in zip(sizes, steps, strict=True):
        places = places[..., None] + np.arange(size) * step
    return x.reshape(-1)[places].reshape(op.h, op.w, op.c)


@meaning("pick")
def pick(op, x):
    places = np.add.outer(op.attrs["pixels"], op.attrs["channels"])
    return x.reshape(-1)[places].reshape(op.h, op.w, op.c)


@meaning("join")
def join(op, *inputs):
    return np.concatenate([x.reshape(-1, op.c) for x in inputs]).reshape(op.h, op.w, op.c)


@drawn("arrange")
def draw_arrange(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    """The dimensions in another order, each from some element on, in steps of one or more, or none at all."""
    h, w, c = draft.size(draft.source)
    dims, start = [], 0
    for size, step in ((h, w * c), (w, c), (c, 1)):
        if draw(st.booleans()):  # spread: the same element several times
            dims.append((draw(st.integers(1, 3)), 0))
            start += step * draw(st.integers(0, size - 1))
            continue
        first, every = draw(st.integers(0, size - 1)), draw(st.integers(1, 2))
        start += step * first
        dims.append((-(-(size - first) // every), step * every))
    dims = draw(st.permutations(dims))
    cut = draw(st.integers(0, 3))
    attrs: dict[str, Any] = {"start": start}
    for name, part in (("pixel", dims[:cut]), ("channel", dims[cut:])):
        attrs |= {f"{name}_dims": len(part), f"{name}_sizes": [n for n, _ in part]}
        attrs[f"{name}_steps"] = [step for _, step in part]
    pixels, channels = (int(np.prod([n for n, _ in part], dtype=int)) for part in (dims[:cut], dims[cut:]))
    return draft.op(kind, [draft.source], (1, pixels, channels), attrs)


@drawn("pick")
def draw_pick(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    pixels = draw(st.lists(st.integers(0, h * w - 1), min_size=1, max_size=40))
    channels = draw(st.lists(st.integers(0, c - 1), min_size=1, max_size=20))
    attrs = {"pixels": [c * pixel for pixel in pixels], "channels": channels}
    return draft.op(kind, [draft.source], (1, len(pixels), len(channels)), attrs)


@drawn("join")
def draw_join(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    c = draft.size(draft.source)[2]
    more = draft.constant(draw(st.integers(1, 4)), draw(st.integers(1, 4)), c, low=-2)
    inputs = draw(st.permutations([draft.source, more]))
    pixels = sum(draft.size(slot)[0] * draft.size(slot)[1] for slot in inputs)
    return draft.op(kind, inputs, (1, pixels, c))


@in_zoo
class Arrangements(Zoo):
    """Channel shuffle, permutations, rows and columns joined, what a reshape cuts anew, spread values."""

    def middle(self, x):
        n, c, h, w = x.shape
        shuffled = x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        turned = torch.relu(x.permute(0, 3, 2, 1) + 0.5).permute(0, 3, 2, 1)
        wide = torch.cat([x, shuffled], 2)[:, :, ::2] + torch.cat([turned, x], 3)[:, :, :, 1::2]
        cut = x.reshape(n, h, w, c).permute(0, 3, 1, 2)
        rows = torch.cat([x.flatten(2), turned.flatten(2)], 2)[:, :, 5 : 5 + h * w].reshape(n, c, h, w)
        gate = x.mean((2, 3), keepdim=True).expand(n, c, h, w) * x.amax(1, keepdim=True)
        focus = F.pixel_shuffle(
            x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).flatten(1, 3), 2
        )
        return wide + cut * 0.5 + rows - gate + focus


@in_zoo
class Picked(Zoo):
    """Indices that are known, in every dimension and in each pixel of its own; repeated maps."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        draw = functools.partial(torch.randint, generator=generator)
        self.register_buffer("channels", draw(8, (24,)))
        self.register_buffer("rows", draw(12, (1, 8, 12, 12)))
        self.register_buffer("pixels", draw(144, (40,)))

    def middle(self, x):
        n, c, h, w = x.shape
        own = torch.gather(x, 2, self.rows)
        spread = x.flatten(2)[:, :, self.pixels].mean(2)[..., None, None]
        corner = x[:, :, ::3, ::2].repeat(1, 1, 3, 2)
        return x[:, self.channels].reshape(n, 3, c, h, w).mean(1) + own * spread + corner + x.flip(3)
