"""What the tests know of operators: tables that the files of this folder fill, by decorators."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn

import videoquant as vq

Function = Callable[..., Any]
MEANINGS: dict[str, Function] = {}
DRAWS: dict[str, Function] = {}
GENERATORS: dict[str, Function] = {}
ZOO: list[Any] = []


def meaning(*kinds: str) -> Callable[[Function], Function]:
    """What operators of these kinds, of a plan, compute: float32 h×w×c.

    A function of the `Op` and the arrays h×w×c that it reads; where an operator has them, of its `grid` and
    the `sparse` part of its input as well.
    """
    return _into(MEANINGS, kinds)


def drawn(*kinds: str) -> Callable[[Function], Function]:
    """How operators of these kinds are drawn for random plans.

    A function of hypothesis's draw, a `Draft` and the kind: it appends the operator, which reads the draft's
    source, and returns it.
    """
    return _into(DRAWS, kinds)


def onnx(*operators: str) -> Callable[[Function], Function]:
    """How these ONNX operators are drawn, in every form that their text allows, and some that it forbids.

    A function of the `Dice` and the operator's name that gives a `Drawn`.
    """
    return _into(GENERATORS, operators)


def _into(table: dict[str, Function], names: tuple[str, ...]) -> Callable[[Function], Function]:
    def enter(function: Function) -> Function:
        table.update(dict.fromkeys(names, function))
        return function

    return enter


def in_zoo(module_class):
    """A module that meets an operator in every way."""
    ZOO.append(module_class)
    return module_class


class Zoo(nn.Module):
    """3×H×W through a layer and then, one class each, through the operators in question."""

    def __init__(self, channels=8):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 4, 1)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


@cache
def captured(module_class, size=12, seed=0):
    """A module of the zoo with random weights, captured for inputs 1×3×size×size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = module_class().eval()
        return vq.capture(module, (torch.randn(1, 3, size, size),), name=module_class.__name__)
