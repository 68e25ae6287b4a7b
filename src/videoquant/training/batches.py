"""The order of examples and their preparation, some batches ahead of the step that needs them.

An example is a function of the seed, the epoch and its place in it, and of nothing else: an interrupted
training continues with the examples it would have had, and threads change nothing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from videoquant.errors import DataError
from videoquant.training.objectives import Objective, Pair

AHEAD = 4  # batches under preparation
KEPT_BYTES = 2 << 30  # of decoded pictures; what goes beyond is read again in every epoch


@dataclass
class Batches:
    """The batches of a training, or the share of one process in each of them.

    rank, world: this process and how many there are; of a batch it takes every `world`-th example.
    Raises `DataError` where the data holds less than one batch, or a batch is not shared evenly.
    """

    objective: Objective
    rank: int = 0
    world: int = 1
    _kept: dict[int, Pair] = field(default_factory=dict)
    _bytes: int = 0

    def __post_init__(self) -> None:
        recipe, data = self.objective.recipe, self.objective
        if recipe.batch % self.world:
            raise DataError(f"a batch of {recipe.batch} cannot be shared evenly by {self.world} processes")
        if not self.per_epoch:
            raise DataError(
                f"{data.name}: {len(data)} pictures with {recipe.repeats} crops each are less "
                f"than a batch of {recipe.batch}"
            )

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; what is left after the last whole batch is another each time."""
        recipe = self.objective.recipe
        return len(self.objective) * recipe.repeats // recipe.batch

    def of_epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of an epoch (from 0) from its step `start` on; see `Objective.collate`."""
        recipe = self.objective.recipe
        order = np.random.default_rng([recipe.seed, epoch]).permutation(len(self.objective) * recipe.repeats)
        waiting: deque[list[Future[Pair]]] = deque()
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            try:
                for step in range(start, self.per_epoch + AHEAD):
                    if step < self.per_epoch:
                        places = range(step * recipe.batch + self.rank, (step + 1) * recipe.batch, self.world)
                        waiting.append(
                            [threads.submit(self._example, epoch, p, int(order[p])) for p in places]
                        )
                    if waiting and (step >= start + AHEAD or step >= self.per_epoch):
                        yield self.objective.collate([future.result() for future in waiting.popleft()])
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _example(self, epoch: int, place: int, number: int) -> Pair:
        random = np.random.default_rng([self.objective.recipe.seed, epoch, place])
        return self.objective.example(self._pair(number % len(self.objective)), random)

    def _pair(self, index: int) -> Pair:
        pair = self._kept.get(index)
        if pair is None:
            pair = self.objective.pair(index)
            size = pair[0].nbytes + pair[1].nbytes
            if self._bytes + size <= KEPT_BYTES:
                self._kept[index] = pair
                self._bytes += size
        return pair
