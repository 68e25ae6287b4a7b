"""`videoquant run`: a stored network over a stream, its answers drawn into a video."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Annotated

import typer

from videoquant.cli.options import (
    DatasetOption,
    VideoOption,
    channels_match,
    console,
    open_source,
    progress_bar,
)
from videoquant.data.writer import VideoWriter
from videoquant.errors import NetworkError
from videoquant.files import check_writable
from videoquant.interrupt import deferred_interrupt
from videoquant.storage import load_quantized
from videoquant.tasks import task_for


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `videoquant quantize` stored.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.mp4", help="The annotated video.")],
    video: VideoOption = None,
    dataset: DatasetOption = None,
    count: Annotated[
        int | None, typer.Option("--frames", metavar="N", min=1, help="Stop after N frames.")
    ] = None,
) -> None:
    """Run a quantized network over a stream and write the annotated video. Ctrl-C keeps what is done."""
    quantized = load_quantized(file)
    task = task_for(quantized.network)
    if task is None:
        raise NetworkError(
            f"{file}: its task is unknown, so nothing can be drawn; quantize it again with --task"
        )
    channels_match(quantized.network)
    clip = open_source(video, None, dataset)
    check_writable(output)
    stream = quantized.stream()
    done, seconds = 0, 0.0
    total = count if clip.is_live else min(len(clip), count or len(clip))
    with (
        deferred_interrupt() as interrupted,
        VideoWriter(output, clip.rate) as writer,
        progress_bar("running", total) as advance,
    ):
        for frame in itertools.islice(clip, count):
            start = time.perf_counter()
            outputs = stream.run(frame)
            seconds += time.perf_counter() - start
            writer.write(task.draw(frame.pixels, outputs))
            done += 1
            advance()
            if interrupted():
                break
    rate = f"{done / seconds:.1f} frames per second in simulation" if seconds else "no frames"
    console.print(f"{output}: {done} frames, {quantized.scheme}, {rate}", highlight=False, soft_wrap=True)
