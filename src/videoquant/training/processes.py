"""Training in several processes, as `torchrun` starts them; one alone needs nothing of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process among those of a training.

    rank: its number.
    world: how many there are.
    device: where it computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether it writes files and scores."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over processes; on GPUs its batch norm sees the whole batch."""
        if self.world == 1:
            return module
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(module)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process: they stop together or not at all."""
        return self.total(float(flag)) > 0

    def total(self, number: float) -> float:
        """The sum of a number over the processes."""
        if self.world == 1:
            return number
        value = torch.tensor(number, dtype=torch.float64, device=self.device)
        distributed.all_reduce(value)
        return float(value)


ALONE = Processes(0, 1, torch.device("cpu"))


@contextmanager
def processes(device: str | None = None) -> Iterator[Processes]:
    """Join the processes that `torchrun` has started, or be the only one.

    device: "cpu", "cuda", …; by default a GPU where there is one.
    """
    rank, world, local = (
        int(os.environ.get(key, default))
        for key, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if place.type == "cuda":
        place = torch.device("cuda", local)
        torch.cuda.set_device(place)
        torch.backends.cudnn.deterministic = True  # the same result from the same seed
    if world == 1:
        yield Processes(0, 1, place)
        return
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(rank, world, place)
    finally:
        distributed.destroy_process_group()
