"""Writes frames as an H.264 video that appears under its name only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from math import ceil, isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from videoquant.data.video import Frame
from videoquant.errors import DataError, OutputError
from videoquant.files import atomic_write, reason
from videoquant.network.frames import as_pixels

SUFFIXES = (".mp4", ".mkv", ".mov")
CODEC: Final = "libx264"
TICKS_PER_SECOND = 1000
ROUNDING = 0.002  # seconds, by which files that count in milliseconds miss the times of a constant rate
QUALITY = 20  # x264's constant rate factor: 0 is lossless, 18 cannot be told from the original, 51 is worst


class VideoWriter:
    """A video file, H.264 at constant quality (crf 20, yuv420p).

    path: its suffix names the container, one of `SUFFIXES`.
    rate: frames per second, above 0, at most 1000; frames whose time is known are shown at it, to about a
        millisecond, whatever the rate.

        with VideoWriter("out.mp4", rate=clip.rate) as writer:
            for frame in clip:
                writer.write(draw(frame))

    The file appears, and replaces an older one, when the block ends. Ctrl-C keeps what was written so far as
    a whole file; any other exception, and a block that writes no frame, leaves everything as it was.
    Raises `OutputError` for another suffix or rate, and on entry where the file cannot be written.
    """

    def __init__(self, path: str | Path, rate: float) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise OutputError(f"{path}: the suffix of a video must be one of {', '.join(SUFFIXES)}")
        if not 0 < rate <= 1000:
            raise OutputError(
                f"{path}: {rate:g} frames per second; the rate must be above 0 and at most 1000"
            )
        if CODEC not in av.codecs_available:
            raise OutputError(f"{path}: this build of PyAV has no encoder {CODEC}; install the one of PyPI")
        # The simplest fraction near it: 29.97002997 is 30000/1001, as broadcasters have it.
        self._rate = max(Fraction(rate).limit_denominator(1001), Fraction(1, 1001))
        # A clock that holds the frames of a constant rate exactly, and others to half a millisecond.
        self._ticks = ceil(TICKS_PER_SECOND / self._rate)  # of a frame

    def __enter__(self) -> Self:
        self._output: tuple[OutputContainer, VideoStream] | None = None
        self._shape: tuple[int, ...] = ()
        self._written = 0
        self._shown = -1  # when the last frame is, in ticks
        self._start: float | None = None
        self._file = ExitStack()
        self._temporary = self._file.enter_context(atomic_write(self.path))
        return self

    def write(self, frame: Any, time: float | None = None) -> None:
        """Append a picture of any kind (`network.frames`), all of the size of the first.

        time: when it is shown, in seconds on any clock; default a `Frame`'s own. A frame without one, or one
        that does not come after the last, follows the last by the time that the rate gives.
        Odd sizes are made even, as yuv420p needs them, by repeating the last row or column.
        Raises `DataError` for what is no picture or no time, `OutputError` where the file can no longer be
        written.
        """
        time = frame.time if time is None and isinstance(frame, Frame) else time
        if time is not None and not isfinite(time):
            raise DataError(f"{self.path}: a frame's time must be finite; got {time}")
        pixels = as_pixels(frame)
        self._shape = self._shape or pixels.shape
        if pixels.shape != self._shape:
            size, first = ("×".join(map(str, shape[:2])) for shape in (pixels.shape, self._shape))
            raise DataError(
                f"{self.path}: a frame is {size} and the first was {first}; all must be of one size"
            )
        height, width = pixels.shape[:2]
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        with self._refusals():
            self._output = self._output or self._begin(*even.shape[:2])
            container, stream = self._output
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            picture.pts, picture.time_base = self._next(time), stream.codec_context.time_base
            container.mux(stream.encode(picture))
        self._written += 1

    def _next(self, time: float | None) -> int:
        """When the next frame is shown, in ticks; `self._start` is the first one's on the clock of `time`."""
        tick = float(1 / (self._rate * self._ticks))
        shown = self._shown + self._ticks if self._written else 0
        if time is not None:
            if self._start is None:
                self._start = time - shown * tick
            stated = round((time - self._start) / tick)
            at_rate = self._written * self._ticks
            if abs(stated - at_rate) * tick <= ROUNDING:
                stated = at_rate
            if stated > self._shown:
                shown = stated
            else:  # another clock, which goes on from here
                self._start = time - shown * tick
        self._shown = shown
        return shown

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file, self._refusals():
            if self._output and self._written and (kind is None or issubclass(kind, KeyboardInterrupt)):
                container, stream = self._output
                container.mux(stream.encode(None))
                container.close()
                return
            if self._output:
                with suppress(av.FFmpegError):  # the file is dropped, and so is what is wrong with it
                    self._output[0].close()
            self._temporary.unlink()

    def _begin(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        container = av.open(str(self._temporary), "w")
        stream = container.add_stream(CODEC, rate=self._rate, options={"crf": str(QUALITY)})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.time_base = 1 / (self._rate * self._ticks)
        # Said in the file, or players guess from its size which matrix turned RGB into YUV.
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.MPEG
        return container, stream

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn FFmpeg's errors into one line about this file."""
        try:
            yield
        except av.FFmpegError as error:
            raise OutputError(f"{self.path}: cannot be written: {reason(error)}") from error
