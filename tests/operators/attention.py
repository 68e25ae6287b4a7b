"""Products of two activations, layer norms and linear layers over tokens: what transformers are made of."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import nn

from tests.operators.plan_draft import Draft
from tests.operators.tables import Zoo, drawn, in_zoo, meaning


@meaning("matmul")
def matmul(op, x, y):
    a = op.attrs
    batches = int(np.prod(a["batch_sizes"], dtype=int))
    left = x.reshape(batches, a["rows"], x.shape[2])
    places = np.array(0)
    sizes = [*a["batch_sizes"], x.shape[2], op.c]
    for size, step in zip(sizes, [*a["batch_steps"], a["inner_step"], a["column_step"]], strict=True):
        places = places[..., None] + np.arange(size) * step
    right = y.reshape(-1)[places].reshape(batches, x.shape[2], op.c)
    product = left.astype(np.float64) @ right.astype(np.float64)
    return product.astype(np.float32).reshape(op.h, op.w, op.c)


@meaning("layer_norm")
def layer_norm(op, x):
    mean = x.mean(2, dtype=np.float64, keepdims=True)
    variance = np.square(x - mean).mean(2, keepdims=True)
    return (x - mean.astype(np.float32)) * (1 / np.sqrt(variance + op.attrs["eps"])).astype(np.float32)


@drawn("matmul")
def draw_matmul(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    """The second as h×w×c of batch × (inner × columns), in either order of the last two."""
    h, w, inner = draft.size(draft.source)
    columns = draw(st.sampled_from([1, 3, 16, 70]))
    turned = draw(st.booleans())
    other = draft.constant(h, columns if turned else inner, inner if turned else columns, low=-2)
    attrs = {
        "batch_dims": 1,
        "batch_sizes": [h],
        "batch_steps": [inner * columns],
        "rows": w,
        "inner_step": 1 if turned else columns,
        "column_step": inner if turned else 1,
    }
    return draft.op(kind, [draft.source, other], (h, w, columns), attrs)


@drawn("layer_norm")
def draw_layer_norm(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    attrs = {"eps": draw(st.sampled_from([1e-5, 1e-3, 0.5]))}
    return draft.op(kind, [draft.source], draft.size(draft.source), attrs)


@in_zoo
class Attention(Zoo):
    """A transformer's block over the pixels of a map, with a token of its own in front."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.feed = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def middle(self, x):
        n, c, h, w = x.shape
        tokens = torch.cat([self.token.expand(n, -1, -1), x.flatten(2).transpose(1, 2)], 1)
        q, k, v = self.qkv(self.norm(tokens)).reshape(n, -1, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-2, -1) * (c // 2) ** -0.5, -1)
        mixed = (weights @ v).transpose(1, 2).reshape(n, -1, c)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.feed(tokens)
        return tokens[:, 1:].transpose(1, 2).reshape(n, c, h, w) + tokens[:, :1].transpose(1, 2)[..., None]


@in_zoo
class SpreadProducts(Zoo):
    """Products of matrices where one of the two serves all of the other's."""

    def __init__(self):
        super().__init__()
        self.across, self.along = nn.Parameter(torch.randn(12, 12)), nn.Parameter(torch.randn(8, 12, 12))

    def middle(self, x):
        one = x.mean(1, keepdim=True)
        return x @ self.across * 0.2 + self.along @ one * 0.1 + one @ x * 0.1


@in_zoo
class Distribution(Zoo):
    """A detection head as YOLOv8's: levels joined, a softmax over bins and its mean, boxes from distances."""

    def __init__(self):
        super().__init__()
        self.bins = nn.Conv2d(2, 1, 1, bias=False)
        self.register_buffer("places", torch.rand(1, 2, 180))

    def forward(self, x):
        y = self.first(x)
        whole = torch.cat([y.flatten(2), F.max_pool2d(y, 2).flatten(2)], 2)
        boxes, scores = whole.split((8, 0), 1)[0], whole[:, :3]
        bins = boxes.view(1, 4, 2, -1).transpose(2, 1).softmax(1)
        near, far = self.bins(bins).view(1, 4, -1).chunk(2, 1)
        low, high = self.places - near, self.places + far
        return torch.cat([(low + high) / 2, high - low, torch.sigmoid(scores)], 1)
