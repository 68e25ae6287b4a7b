"""videoquant's own engine in its modes, from the file of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videoquant.axes import Regions
from videoquant.bench.engine_config import Prepared, Runner
from videoquant.calibration.calibrate import calibrate
from videoquant.engine import IntegerNetwork, load_plan, lower
from videoquant.errors import SchemeError
from videoquant.network.graph import Network
from videoquant.regions.gate import check_blocks
from videoquant.runtime.report import FrameReport
from videoquant.runtime.session import MODES, modes_of
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import check_states


def choose_modes(scheme: Scheme, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Those of the wanted modes that a scheme runs in, in the order of `MODES`; None wants all of them.

    Raises `SchemeError` for an unknown mode and where none is left.
    """
    runs = modes_of(scheme)
    if wanted is None:
        return runs
    for mode in wanted:
        if mode not in MODES:
            raise SchemeError(f"{mode}: no such mode; there are {', '.join(MODES)}")
    chosen = tuple(mode for mode in runs if mode in wanted)
    if not chosen:
        raise SchemeError(f"scheme {scheme} runs in mode {' and '.join(runs)} only")
    return chosen


def modes_at(modes: tuple[str, ...], scheme: Scheme, network: Network, wanted: bool) -> tuple[str, ...]:
    """The modes without regions where the network's input is one block, or it has states.

    Raises `SchemeError` where regions are wanted, by a mode or by the scheme.
    """
    if "regions" not in modes:
        return modes
    try:
        check_states(network, replace(scheme, regions=scheme.regions or Regions()))
        check_blocks(scheme.regions or Regions(), network.size)
    except SchemeError:
        if wanted or scheme.regions is not None:
            raise
        return tuple(mode for mode in modes if mode != "regions")
    return modes


def write_plan(network: Network, scheme: Scheme, runs: Sequence[Sequence[Tensor]], target: Path) -> None:
    """Write the plan of a network. runs: consecutive inputs N×C×H×W that calibrate it."""
    lower(calibrate(network, scheme, runs)).save(target)


def open_mode(file: Path, mode: str, threads: int) -> Runner:
    """A stream of a plan in a mode of the engine."""
    return _Own(file, mode, threads)


@lru_cache(1)
def _plan(file: Path) -> IntegerNetwork:
    """One for all modes: streams of a plan share its weights. Pictures come to it fitted already."""
    plan = load_plan(file)
    return replace(plan, preprocessing=replace(plan.preprocessing, fit="stretch"))


class _Own(Runner):
    layout = torch.channels_last

    def __init__(self, file: Path, mode: str, threads: int) -> None:
        self._stream = _plan(file).stream(mode, threads)

    def lay_out(self, frame: Prepared) -> Any:
        """Of streams with regions bytes, which their gate looks at: their scaling is a part of the time."""
        by_bytes = self._stream.input is not None and frame.picture is not None
        return frame.picture if by_bytes else super().lay_out(frame)

    def run(self, x: Any) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = self._stream.run(x)
        return outputs

    @property
    def report(self) -> FrameReport:
        return self._stream.report
