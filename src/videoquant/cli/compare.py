"""`videoquant compare`: the main job — every scheme over one stream, what it costs and what it loses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videoquant.calibration.sampling import SCORED_FRAMES, whole
from videoquant.cli.chips import ChipOption, say_fallbacks
from videoquant.cli.compare_inputs import (
    all_stills,
    calibrate_all,
    check_labels,
    read_quantized,
    runner,
    scorer,
)
from videoquant.cli.compare_plan import (
    calibration_sets,
    commands,
    describe,
    free_spans,
    live_frames,
    parse_schemes,
    picture_frames,
    plan_frames,
)
from videoquant.cli.console import console, note, progress_bar, say, status
from videoquant.cli.engines import comparable_stream, one_thread_of_pytorch
from videoquant.cli.modes import COMPARABLE, SIMULATE, ThreadsOption
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    CacheOption,
    ColumnsOption,
    CostOption,
    DatasetsOption,
    ImagesOption,
    KeepOption,
    NoCacheOption,
    Texts,
    VideosOption,
    cache_folder,
    channels_match,
    note_unmeasured,
    open_clip,
    open_clips,
    preprocessing_options,
)
from videoquant.cli.targets import Folder, check_targets, common_reads
from videoquant.comparison import Comparison
from videoquant.comparison.parts import compare_clips
from videoquant.comparison.references import ScoredClip
from videoquant.costs.chip_file import open_chip
from videoquant.data.dataset import LabelledClip
from videoquant.data.joined import JoinedClip
from videoquant.errors import SchemeError
from videoquant.exporting.exported_stream import RUNTIMES
from videoquant.json_file import json_text, write_json
from videoquant.made import made_by
from videoquant.quantized_onnx import is_quantized_onnx
from videoquant.report.answer import Question, answer
from videoquant.report.clip_table import render_clips
from videoquant.report.html import write_report
from videoquant.report.label_table import render_labels
from videoquant.report.results import REPORT_FILES, earlier_report, to_dict
from videoquant.report.shown_columns import chosen_columns, narrowed
from videoquant.report.table import headings, render_table, spare_columns
from videoquant.report.targets import read_target
from videoquant.report.wish import read_wish
from videoquant.tasks import task_for
from videoquant.text import printable

STDOUT = Path("-")


@preprocessing_options
def command(
    context: typer.Context,
    network: NetworkArgument,
    video: VideosOption = None,
    images: ImagesOption = None,
    dataset: DatasetsOption = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    schemes: Annotated[
        str | None,
        typer.Option(
            help='Schemes, separated by ";", e.g. "fp32; w8a8; w8a8->w4a4 T=3". Default: a fair selection.'
        ),
    ] = None,
    convention: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What schemes are where they do not say: default, or as in a paper, resq or qpp "
            "(docs/schemes.md).",
        ),
    ] = "default",
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
        Path | None,
        typer.Option("--json", metavar="F", help="Write the results as JSON here too; - is standard output."),
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
    keep: KeepOption = None,
    target: CostOption = None,
    columns: ColumnsOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=1024, help="Processes side by side, in simulation.")
    ] = 1,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help='Run side by side on a Ray cluster: its address, "auto" for the one this machine is in, or '
            '"local" to begin one here (pip install "videoquant[ray]").',
        ),
    ] = None,
) -> None:
    """Compare schemes on a clip: GBOPs per frame, SQNR, agreement with fp32, accuracy on labels.

    At the end stands the cheapest scheme that surely keeps what --keep asks for, and how to make it.
    """
    check_targets(
        common_reads(network, video, images, dataset, checkpoint, preprocessing)
        | {"--quantized": files, "--calibration": calibration, "--chip": chip},
        {"--json": None if json_file == STDOUT else json_file, "--report": Folder(report, REPORT_FILES)},
    )
    earlier = earlier_report(report)
    on_chip = None if chip is None else open_chip(chip)
    cost = read_target(target, engine != SIMULATE, chip is not None)
    if engine not in COMPARABLE:
        raise SchemeError(f"--engine {engine}: it must be {', '.join(COMPARABLE[:-1])} or {COMPARABLE[-1]}")
    if engine in RUNTIMES:
        RUNTIMES[engine].check_installed()
    clips = open_clips(video, dataset, images)
    is_live = clips[0].is_live
    stills = all_stills(clips, images)
    run = context.with_resource(runner(workers, ray, engine, is_live))
    is_quantized = is_quantized_onnx(network)  # then it stands beside its own weights in floating point
    if is_quantized:
        files = [Path(network), *(files or [])]
    only_float = "fp32" if is_quantized and schemes is None else schemes
    wanted = parse_schemes(only_float, stills, isinstance(clips[0], LabelledClip), convention)
    captured = open_network(network, checkpoint, size, clips[0], preprocessing)
    channels_match(captured)

    read = [read_quantized(file, captured, stills) for file in files or []]
    scores = [scorer(captured, clip) for clip in clips]
    task = task_for(captured)
    accuracy = tuple(dict.fromkeys(m for score in scores if score for m in score().measures))
    measures = task.measures if task else ()
    only = chosen_columns(columns, headings(measures, accuracy, engine != SIMULATE, chip is not None))
    wish = None if keep is None else read_wish(keep, measures, accuracy)
    lines = commands(network, video, images, dataset, checkpoint, size, preprocessing)
    question = Question(wish, cost, lines)
    every = [*wanted, *(q.scheme for q in read)]
    plans = [
        plan_frames(captured, clip, count, every, calibration is not None, engine != SIMULATE)
        for clip in clips
    ]
    for clip, score, plan in zip(clips, scores, plans, strict=True):
        if score is not None and isinstance(clip, LabelledClip):
            check_labels(clip, plan.scored)
    if calibration is not None:
        other = open_clip(calibration)
        free = [whole(other, live_frames(captured, wanted))]
    else:
        other = clips[0] if len(clips) == 1 else JoinedClip(clips)
        free = free_spans(clips, plans)
    sets = calibration_sets(captured, other, free, wanted)
    if earlier:
        note(f"{report}: holds a report of {earlier}, which is replaced")
    kept = cache_folder(cache, no_cache)
    scored = [
        ScoredClip(clip, tuple(plan.scored), picture_frames(clip, plan.scored, len(clips)), score)
        for clip, score, plan in zip(clips, scores, plans, strict=True)
    ]
    quantized = calibrate_all(captured, wanted, sets, schemes is None, run, kept)
    wanted = [q.scheme for q in quantized]
    quantized += read
    takes_turns = engine != SIMULATE or is_live
    streams = [comparable_stream(q, engine, threads) for q in quantized] if takes_turns else None
    with (
        one_thread_of_pytorch(engine != SIMULATE),
        progress_bar("scoring", len(quantized) * sum(one.count for one in scored)) as advance,
    ):
        result = compare_clips(
            captured,
            quantized,
            scored,
            describe(other, calibration is None, plans, sets),
            stills,
            advance,
            run,
            kept,
            streams,
            engine=None if engine == SIMULATE else engine,
            chip=on_chip,
            files=[*("" for _ in wanted), *(printable(str(file)) for file in files or [])],
        )
    made, found = made_by(), answer(result, question)
    # The results go to stdout, or their JSON form does, and what people read to stderr.
    screen, tell = (status, note) if json_file == STDOUT else (console, say)
    if json_file == STDOUT:
        for line in json_text(to_dict(result, made, found)).splitlines():
            say(line)
    elif json_file:
        write_json(to_dict(result, made, found), json_file)
    page = write_report(result, report, made, found)
    screen.print(narrowed(render_table(result), screen, spare_columns(result), only))
    note_unmeasured(result.measures, [row.agreement for row in result.rows])
    for table in (render_clips(result, screen), render_labels(result, screen)):
        if table:
            screen.print(table)
    if on_chip:
        say_fallbacks(on_chip, [row.on_chip for row in result.rows if row.on_chip])
    for line in (*found.sentences, *found.commands.splitlines()):
        tell(line)
    tell(f"report: {page}")
    if not result.complete:
        note(stopped(result, len(quantized), kept is not None and streams is None))
        raise typer.Exit(130)


def stopped(result: Comparison, schemes: int, goes_on: bool) -> str:
    """What Ctrl-C has left. goes_on: whether the same command would begin behind what is done."""
    if len(result.rows) == schemes:
        return f"stopped after {result.frames} frames; the results hold those"
    rest = "; the same command goes on from there" if goes_on else ""
    return f"stopped; {len(result.rows)} of {schemes} schemes are done, which the results hold{rest}"
