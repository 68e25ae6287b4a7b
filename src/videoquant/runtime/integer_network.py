"""The quantized network in integers as its user holds it: a plan that opens streams."""

from __future__ import annotations

from pathlib import Path

from videoquant.axes import Regions
from videoquant.runtime.plan import Plan
from videoquant.runtime.plan_file import read_plan, save_plan
from videoquant.runtime.stream import Stream, open_stream


class IntegerNetwork(Plan):
    """A plan that opens streams. Made by `videoquant.engine.lower`, or read by `load_plan`."""

    def stream(
        self,
        mode: str | None = None,
        threads: int = 2,
        refresh: int | None = None,
        isa: str = "",
        regions: Regions | None = None,
    ) -> Stream:
        """A new stream of frames; streams share the weights and no state. See `open_stream`."""
        return open_stream(self, mode, threads, refresh, isa, regions)

    def save(self, path: str | Path) -> None:
        """Write it to one file, which appears whole or not at all. Raises `OutputError`."""
        save_plan(self, path)


def load_plan(path: str | Path) -> IntegerNetwork:
    """Read what `IntegerNetwork.save` wrote, and check all of it. Raises `NetworkError` for anything else."""
    return read_plan(path, IntegerNetwork)
