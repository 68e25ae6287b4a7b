"""A chip with round numbers, and one layer's network, for tests."""

import torch

import videoquant as vq
from videoquant.costs.chip import Chip, Energy

ENERGY = Energy({(8, 8): 2e-12, (4, 4): 1e-12, (16, 16): 8e-12, (32, 32): 30e-12}, 100e-12, 10e-12)
ROUND = Chip(
    "round",
    "made up",
    {(8, 8): 1e9, (4, 4): 2e9, (16, 16): 0.5e9, (32, 32): 0.25e9},
    (8, 8),
    buffer=1e3,
    bandwidth=1e9,
    overhead=1e-6,
    sparse_cost=2.0,
    energy=ENERGY,
)


def one_conv(inputs=16, outputs=8, kernel=3, size=10, groups=1):
    """A convolution inputs×size×size → outputs×size×size, both head and tail of its network."""
    conv = torch.nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)
    return vq.capture(conv, (torch.zeros(1, inputs, size, size),), name="conv")


def scheme(text):
    """A scheme that treats first and last layers as all others."""
    return vq.Scheme.parse(f"{text} head=2 tail=2")
