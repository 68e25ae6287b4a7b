"""What runs a quantized network in a command: simulation, or the integer engine in one of its modes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from videoquant.axes import Regions
from videoquant.calibration.sampling import calibration_spans, whole
from videoquant.cli.console import note, progress_bar
from videoquant.cli.modes import SIMULATE, default_mode
from videoquant.comparison import AnyStream
from videoquant.data.video import Clip
from videoquant.engine import IntegerNetwork, Plan, fit_regions, lower
from videoquant.engine.region_budget import run_length, runs_for
from videoquant.errors import NetworkError, SchemeError
from videoquant.exporting.exported_stream import RUNTIMES, ExportedStream
from videoquant.runtime.session import check_mode, modes_of
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.stopwatch import timed
from videoquant.tasks import Task
from videoquant.torch_settings import threads_of_pytorch


def choose_engine(quantized: QuantizedNetwork, wanted: str | None) -> tuple[str, IntegerNetwork | None]:
    """The engine that runs a network, and its plan, None in simulation.

    wanted: by --engine. Where that is not given, the scheme's default (`default_mode`), and simulation where
    the network cannot be lowered.
    Raises `NetworkError` or `SchemeError` where the engine wanted cannot run the network.
    """
    if wanted == SIMULATE or (wanted is None and quantized.scheme.is_float):
        return SIMULATE, None
    try:
        plan = lower(quantized)
    except (NetworkError, SchemeError) as error:
        if wanted is None:
            note(f"simulated, since {error}")
            return SIMULATE, None
        raise type(error)(f"{error}; --engine {SIMULATE} runs it") from None
    mode = wanted or default_mode(plan.scheme)
    check_mode(plan, mode)
    return mode, plan


def comparable_stream(quantized: QuantizedNetwork, engine: str, threads: int) -> AnyStream:
    """What runs a scheme of a comparison: the engine, or simulation where the engine does not, with a note.

    engine: of `COMPARABLE`.

    A scheme that does not run in that mode runs in its own. Floating point is simulated, as the others are
    measured against it. So are adaptive widths: their cost is counted from the shares that simulation sees.
    """
    scheme = quantized.scheme
    if engine == SIMULATE or scheme.is_float or getattr(scheme.time, "adaptive", False):
        return quantized.stream()
    try:
        if engine in RUNTIMES:
            return ExportedStream(quantized, engine, threads)
        plan = lower(quantized)
        modes = modes_of(scheme)
        return plan.stream(engine if engine in modes else modes[0], threads)
    except (NetworkError, SchemeError) as error:
        note(f"simulated: {scheme}: {error}")
        return quantized.stream()


def search_rule(plan: Plan, clip: Clip, budget: float, task: Task, threads: int) -> Regions:
    """The rule of regions that keeps a budget on runs of frames all over a clip; a note says which."""
    length, runs = run_length(plan), runs_for(task)
    frames = clip.runs(calibration_spans(whole(clip, runs * length), length, runs))
    with one_thread_of_pytorch(True), progress_bar("finding a rule of regions", runs) as advance:
        found, ms = timed(partial(fit_regions, plan, frames, budget, task, advance, threads))
    note(f"{found}; found in {ms / 1e3:.0f} s")
    return found.regions


@contextmanager
def one_thread_of_pytorch(wanted: bool) -> Iterator[None]:
    """While an engine runs, PyTorch has one thread.

    It still measures what outputs lose. With more threads, those would wait busily for its next operator on
    the cores that the engine's threads need by then.
    """
    with threads_of_pytorch(1 if wanted else None):
        yield
