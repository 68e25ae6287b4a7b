"""What a comparison is made of: networks, stored or calibrated, labels that fit, and what runs its parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from videoquant.axes import Frame as FrameByFrame
from videoquant.cli.compare_plan import kind_of_runs
from videoquant.cli.console import note, progress_bar
from videoquant.cli.modes import SIMULATE
from videoquant.cli.options import are_stills
from videoquant.comparison.parts import Calibration
from videoquant.comparison.ray_cluster import RayCluster
from videoquant.comparison.workers import Processes, Runner, one_by_one
from videoquant.data.dataset import LabelledClip
from videoquant.data.video import Clip, Frame
from videoquant.errors import DataError, NetworkError, SchemeError
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import load_quantized
from videoquant.tasks import task_for
from videoquant.tasks.scoring import Score, score_for


def all_stills(clips: Sequence[Clip], images: Path | None) -> bool:
    """Whether all frames stand for themselves. Raises `DataError` where that differs from clip to clip."""
    kinds = {are_stills(clip, images): clip.name for clip in clips}
    if len(kinds) > 1:
        raise DataError(f"{kinds[True]} holds stills and {kinds[False]} is a video; compare on one kind")
    return True in kinds


def runner(workers: int, ray: str | None, engine: str, is_live: bool) -> AbstractContextManager[Runner]:
    """What runs the parts of a comparison. Raises `SchemeError` where they cannot run side by side."""
    if workers == 1 and ray is None:
        return nullcontext(one_by_one)
    option = "--workers" if ray is None else "--ray"
    if engine != SIMULATE:
        raise SchemeError(f"{option}: schemes that are timed take turns in one process; leave it out")
    if is_live:
        raise SchemeError(f"{option}: a camera's frames come once, to one process; leave it out")
    return Processes(workers) if ray is None else RayCluster(ray)


def read_quantized(path: Path, network: Network, stills: bool) -> QuantizedNetwork:
    """What `quantize` or `train` wrote, or another's ONNX file, to stand beside the schemes of a network."""
    # Others may call layers otherwise, and do not say what frames become.
    from_others = path.suffix == ".onnx"
    quantized = load_quantized(path, size=network.size) if from_others else load_quantized(path)
    theirs, ours = quantized.network, network
    if from_others:
        theirs.preprocessing = ours.preprocessing
    for what, their, our in (
        ("layers", [node.name for node in theirs.layers], [node.name for node in ours.layers]),
        ("size", theirs.size, ours.size),
        ("outputs", sorted(theirs.outputs), sorted(ours.outputs)),
    ):
        if from_others and what == "layers":
            continue
        if their != our:
            detail = f"; its {their[0]}×{their[1]} is {our[0]}×{our[1]} there" if what == "size" else ""
            raise NetworkError(f"--quantized {path}: has not the {what} of {network.name}{detail}")
    if stills and not isinstance(quantized.scheme.time, FrameByFrame):
        raise SchemeError(
            f"--quantized {path}: {quantized.scheme} needs a video; stills have no frame before them"
        )
    return quantized


def scorer(network: Network, source: Clip) -> Callable[[], Score] | None:
    """What scores outputs against the labels of a data set; None where there are none that fit."""
    if not isinstance(source, LabelledClip):
        return None
    task = task_for(network)
    try:
        if task is None:
            raise DataError(f"the task of {network.name} is unknown (--task names it)")
        score_for(task, source.dataset)
    except DataError as error:
        note(f"not scored against labels: {error}")
        return None
    return partial(score_for, task, source.dataset)


def check_labels(source: LabelledClip, scored: Sequence[range]) -> None:
    """Read the labels that will be scored against, so that an unusable one fails before the long work."""
    for position in itertools.chain.from_iterable(scored):
        _ = source.dataset[position].target


def calibrate_all(
    network: Network,
    schemes: Sequence[Scheme],
    sets: dict[tuple[int, int], list[Frame]],
    are_default: bool,
    run: Runner,
    cache: Path | None,
) -> list[QuantizedNetwork]:
    """A network for each scheme, in their order; for those that came to the same words, one.

    are_default: nobody asked for these schemes, so that one for which the clip is too short is left out, with
    a note. Raises `DataError` where they were asked for, and where none is left.
    """
    # What needs the most frames may be refused: it comes first, not after minutes.
    order = sorted(schemes, key=lambda scheme: -scheme.ranges.calibration_runs(1))
    tasks = [Calibration(network, scheme, sets[kind_of_runs(network, scheme)], cache) for scheme in order]
    done: dict[Scheme, QuantizedNetwork] = {}
    ended, refused = 0, None
    with progress_bar("calibrating", sum(task.steps for task in tasks)) as advance:
        for number, found in run(tasks, advance):
            ended += 1
            if not isinstance(found, DataError):
                done[order[number]] = found
            elif are_default:
                refused = found
                note(f"left out: {found}")
            else:
                raise found
    if ended < len(tasks):
        raise KeyboardInterrupt
    if refused and not done:
        raise refused
    return list({done[scheme].scheme: done[scheme] for scheme in schemes if scheme in done}.values())
