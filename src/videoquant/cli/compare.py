"""`videoquant compare`: the main job — every scheme over one stream, what it costs and what it loses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from videoquant.api import quantize
from videoquant.axes import Frame as FrameByFrame
from videoquant.calibration.calibrate import walks
from videoquant.calibration.sampling import SCORED_FRAMES, calibration_runs, whole
from videoquant.cli.chips import ChipOption, say_fallbacks
from videoquant.cli.compare_plan import (
    calibration_sets,
    commands,
    describe,
    live_frames,
    parse_schemes,
    picture_frames,
    plan_frames,
)
from videoquant.cli.console import console, note, progress_bar, say
from videoquant.cli.engines import comparable_stream, one_thread_of_pytorch
from videoquant.cli.modes import COMPARABLE, SIMULATE, ThreadsOption
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    CacheOption,
    DatasetOption,
    ImagesOption,
    NoCacheOption,
    Texts,
    VideoOption,
    are_stills,
    cache_folder,
    channels_match,
    note_unmeasured,
    open_clip,
    open_source,
    preprocessing_options,
)
from videoquant.cli.targets import Folder, check_targets, common_reads
from videoquant.comparison import compare
from videoquant.costs.chip_file import open_chip
from videoquant.data.dataset import LabelledClip
from videoquant.data.video import Clip, Frame
from videoquant.errors import DataError, NetworkError, SchemeError
from videoquant.exporting.exported_stream import RUNTIMES
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.network.graph import Network
from videoquant.quantized_onnx import is_quantized_onnx
from videoquant.report.answer import Question, answer
from videoquant.report.html import write_report
from videoquant.report.label_table import render_labels
from videoquant.report.results import REPORT_FILES, earlier_report, to_dict
from videoquant.report.table import render_table
from videoquant.report.targets import read_target
from videoquant.report.wish import read_wish
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import load_quantized
from videoquant.tasks import task_for
from videoquant.tasks.scoring import Score, score_for
from videoquant.text import printable


@preprocessing_options
def command(
    network: NetworkArgument,
    video: VideoOption = None,
    images: ImagesOption = None,
    dataset: DatasetOption = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    schemes: Annotated[
        str | None,
        typer.Option(
            help='Schemes, separated by ";", e.g. "fp32; w8a8; w8a8->w4a4 T=3". Default: a fair selection.'
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--quantized",
            metavar="FILE",
            help="Also what quantize or train wrote, or a quantized ONNX file, of the same NETWORK; "
            "may be repeated.",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="CLIP|DIR|NAME:PATH",
            help="Calibrate on this; default: frames of the clip that are not scored.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--frames", metavar="N", min=1, help=f"Frames to score, spread over the clip [{SCORED_FRAMES}]."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write the results as JSON here too.")
    ] = None,
    report: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for report.html, results.json and results.csv.")
    ] = Path("videoquant-report"),
    *,
    preprocessing: Texts,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What runs the schemes: simulate; the integer engine, frame or exact (docs/engine.md); or, "
            "exported, onnxruntime or openvino (docs/export.md).",
        ),
    ] = SIMULATE,
    threads: ThreadsOption = 2,
    chip: ChipOption = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="WISH",
            help='What the recommended scheme surely keeps, e.g. "mask IoU >= 0.98". Default: within 1% of '
            "fp32, by the task's first measure.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COST",
            help="What it is cheapest in: gbops, ms or mj. Default: ms with --engine or --chip, else gbops.",
        ),
    ] = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Compare schemes on a clip: GBOPs per frame, SQNR, agreement with fp32, accuracy on labels.

    At the end stands the cheapest scheme that surely keeps what --keep asks for, and how to make it.
    """
    check_targets(
        common_reads(network, video, images, dataset, checkpoint, preprocessing)
        | {"--quantized": files, "--calibration": calibration, "--chip": chip},
        {"--json": json_file, "--report": Folder(report, REPORT_FILES)},
    )
    earlier = earlier_report(report)
    on_chip = None if chip is None else open_chip(chip)
    cost = read_target(target, engine != SIMULATE, chip is not None)
    if engine not in COMPARABLE:
        raise SchemeError(f"--engine {engine}: it must be {', '.join(COMPARABLE[:-1])} or {COMPARABLE[-1]}")
    if engine in RUNTIMES:
        RUNTIMES[engine].check_installed()
    source = open_source(video, images, dataset)
    stills = are_stills(source, images)
    is_quantized = is_quantized_onnx(network)  # then it stands beside its own weights in floating point
    if is_quantized:
        files = [Path(network), *(files or [])]
    only_float = "fp32" if is_quantized and schemes is None else schemes
    wanted = parse_schemes(only_float, stills, isinstance(source, LabelledClip))
    captured = open_network(network, checkpoint, size, source, preprocessing)
    channels_match(captured)

    read = [read_quantized(file, captured, stills) for file in files or []]
    score = scorer(captured, source)
    task = task_for(captured)
    measured = (task.measures if task else (), score().measures if score else ())
    wish = None if keep is None else read_wish(keep, *measured)
    lines = commands(network, video, images, dataset, checkpoint, size, preprocessing)
    question = Question(wish, cost, lines)
    plan = plan_frames(source, count, [*wanted, *(q.scheme for q in read)], calibration is not None)
    if score is not None and isinstance(source, LabelledClip):
        check_labels(source, plan.scored)
    other = open_clip(calibration) if calibration is not None else source
    free = plan.free if other is source else whole(other, live_frames(wanted))
    sets = calibration_sets(other, free, wanted)
    if earlier:
        note(f"{report}: holds a report of {earlier}, which is replaced")
    with progress_bar("calibrating", len(captured.nodes) * sum(map(walks, wanted))) as advance:
        calibrated = partial(quantize, progress=advance, cache=cache_folder(cache, no_cache))
        quantized = calibrate_all(captured, wanted, sets, schemes is None, calibrated)
    wanted = [q.scheme for q in quantized]
    quantized += read
    streams = [comparable_stream(q, engine, threads) for q in quantized]
    with (
        one_thread_of_pytorch(engine != SIMULATE),
        progress_bar("scoring", sum(map(len, plan.scored))) as advance,
    ):
        result = compare(
            captured,
            quantized,
            source.runs(plan.scored),
            source=source.name,
            calibration=describe(other, source, plan, sets),
            picture_frames=[source.index_at(position) for position in picture_frames(plan.scored)],
            stills=stills,
            score=score,
            progress=advance,
            streams=streams,
            engine=None if engine == SIMULATE else engine,
            chip=on_chip,
            files=[*("" for _ in wanted), *(printable(str(file)) for file in files or [])],
        )
    made, found = made_by(), answer(result, question)
    if json_file:
        write_json(to_dict(result, made, found), json_file)
    page = write_report(result, report, made, found)
    console.print(render_table(result))
    note_unmeasured(result.measures, [row.agreement for row in result.rows])
    by_class = render_labels(result, console)
    if by_class:
        console.print(by_class)
    if on_chip:
        say_fallbacks(on_chip, [row.on_chip for row in result.rows if row.on_chip])
    for line in (*found.sentences, *found.commands.splitlines()):
        say(line)
    say(f"report: {page}")
    if not result.complete:
        note(f"stopped after {result.frames} frames; the results hold those")
        raise typer.Exit(130)


def calibrate_all(
    network: Network,
    schemes: Sequence[Scheme],
    sets: dict[tuple[int, int], list[Frame]],
    are_default: bool,
    calibrated: Callable[[Network, Scheme, list[Frame]], QuantizedNetwork],
) -> list[QuantizedNetwork]:
    """A network for each scheme, in their order.

    are_default: nobody asked for these schemes, so that one for which the clip is too short is left out, with
    a note. Raises `DataError` where they were asked for, and where none is left.
    calibrated: what makes one of them.
    """
    done: dict[Scheme, QuantizedNetwork] = {}
    # What needs the most frames may be refused: it comes first, not after minutes.
    for scheme in sorted(schemes, key=lambda scheme: -scheme.ranges.calibration_runs(1)):
        try:
            done[scheme] = calibrated(network, scheme, sets[scheme.period, calibration_runs(scheme)])
        except DataError as error:
            if not are_default or (len(done) == 0 and scheme == schemes[-1]):
                raise
            note(f"left out: {error}")
    return [done[scheme] for scheme in schemes if scheme in done]


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
