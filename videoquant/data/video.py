"""Frames of a video file, a folder of images, one image or a camera, in order and one at a time."""

from __future__ import annotations

import re
import stat
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videoquant.data.images import image_files, is_image, read_image
from videoquant.errors import DataError
from videoquant.files import reason
from videoquant.text import printable

DEFAULT_RATE = 25.0  # frames per second of what has no rate of its own: images, and videos that do not say

# Frames as functions that make their pixels: a frame that nobody wants costs no conversion.
Pictures = Generator[Callable[[], NDArray[np.uint8]], None, None]


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a stream. `np.asarray(frame)` gives its pixels.

    pixels: uint8 RGB, H×W×3. index: its number in the source, from 0, by which a stream sees a seek.
    """

    pixels: NDArray[np.uint8]
    index: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype=dtype, copy=copy)


class ClipWarning(UserWarning):
    """A clip ended before its time: it is damaged or cut short. Says how many frames could be read."""


def frames(source: str | Path | int) -> Clip:
    """Open a video file, a folder of images, one image, or a camera (its number, also as a string of digits).

    A file whose name is all digits is meant by "./0". The first frame is read, so that what cannot be used
    fails here. Raises `DataError` where the source is missing, not permitted, no video or image, has no video
    stream, or where not one frame of it can be read.
    """
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        return Camera(int(source))
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise DataError(f"{path}: cannot be read: {reason(error)}") from error
    if stat.S_ISDIR(mode):
        return Stills(printable(path.resolve().name), image_files(path))
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: is a device or pipe; give a file, a folder, or a camera's number")
    return Stills(printable(path.name), [path]) if is_image(path) else VideoFile(path)


class Clip(ABC):
    """A source of frames. Nothing is held but the frame in hand; every iteration starts at the first frame.

    name: of the file or folder, for reports. size: (height, width) of the first frame; images of a folder
    may differ from it. rate: frames per second. is_live: whether frames come as they happen, without end.
    """

    name: str
    size: tuple[int, int]
    rate: float
    is_live = False

    def __iter__(self) -> Iterator[Frame]:
        return self.runs([range(sys.maxsize)])

    @abstractmethod
    def __len__(self) -> int:
        """The number of frames. Raises `DataError` for a camera."""

    def index_at(self, position: int) -> int:
        """The index of the frame at a position: the same, except in a data set of several sequences."""
        return position

    def runs(self, spans: Sequence[range]) -> Iterator[Frame]:
        """Only the frames whose index lies in one of the spans, read in one pass that stops after the last.

        spans: ascending and disjoint, e.g. [range(0, 3), range(40, 43)]; what is beyond the end is left out.
        Raises `DataError` for other spans.
        """
        spans = [span for span in spans if span]
        end = 0
        for span in spans:
            if span.step != 1 or span.start < end:
                raise DataError(f"{self.name}: spans of frames must ascend and be disjoint; got {span}")
            end = span.stop
        return self._select(spans)

    def _select(self, spans: Sequence[range]) -> Iterator[Frame]:
        with closing(self._pictures()) as pictures:
            numbered = enumerate(pictures)
            for span in spans:
                for index, picture in numbered:
                    if index in span:
                        yield Frame(picture(), index)
                    if index == span.stop - 1:
                        break

    def _first_size(self) -> tuple[int, int]:
        (first,) = self.runs([range(1)])
        return first.pixels.shape[0], first.pixels.shape[1]

    def check(self) -> None:  # noqa: B027 - not every source can tell
        """Warn (`ClipWarning`) where the source is shorter than it announces; costs what `len` costs."""

    @abstractmethod
    def _pictures(self) -> Pictures:
        """Every frame in order."""


class Stills(Clip):
    """Image files as frames, at `DEFAULT_RATE`. A damaged one raises `DataError` when its turn comes."""

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name, self.rate = name, DEFAULT_RATE
        self.files = tuple(files)
        self.size = self._first_size()

    def __len__(self) -> int:
        return len(self.files)

    def _pictures(self) -> Pictures:
        for file in self.files:
            yield partial(read_image, file)


class VideoFile(Clip):
    """A video file, turned upright as its metadata says (by quarters).

    Reading ends at the first damage with a `ClipWarning` (one per object): what a decoder makes up after it
    is no data. Damage is seen where format and codec show it: VP8 and VP9 carry no check of their contents,
    Matroska skips what it cannot read in the middle, and a transport stream does not say how long it is.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, printable(path.name)
        self._warned = False
        if path.stat().st_size == 0:
            raise DataError(f"{path}: is empty")
        with self._open() as container:
            self.rate = float(self._stream(container).average_rate or DEFAULT_RATE)
        self.size = self._first_size()

    def __len__(self) -> int:
        """The frames that the file holds, counted without decoding; a damaged file may decode to fewer."""
        return self._counted[0]

    def check(self) -> None:
        count, missing = self._counted
        if missing:
            self._warn(f"cut short; {count} of {count + missing} frames are there")

    def _warn(self, text: str) -> None:
        if not self._warned:
            warnings.warn(f"{self.name}: {text}", ClipWarning, stacklevel=4)
        self._warned = True

    @cached_property
    def _counted(self) -> tuple[int, int]:
        """How many frames the file holds, and how many more its header announces."""
        count, hidden, end = 0, 0, 0.0
        with self._open() as container:
            stream = self._stream(container)
            tick = float(stream.time_base or 0)
            with suppress(av.FFmpegError):
                for packet in container.demux(stream):
                    hidden += packet.is_discard
                    if packet.size > 0 and not packet.is_discard:
                        count += 1
                        end = max(end, ((packet.pts or 0) + (packet.duration or 0)) * tick)
            announced_end = _announced_end(stream)
        if stream.frames and not hidden:
            missing = stream.frames - count
        else:
            missing = 0 if announced_end is None else round((announced_end - end) * self.rate)
        return count, max(0, missing)

    def _open(self) -> InputContainer:
        try:
            # "file:" keeps FFmpeg from taking a name with a colon for a network address.
            return av.open(f"file:{self.path}", metadata_errors="replace")
        except av.error.InvalidDataError as error:
            raise DataError(
                f"{self.path}: is neither a video nor an image, or cut short or damaged"
            ) from error
        except (av.FFmpegError, OSError) as error:
            raise DataError(f"{self.path}: cannot be read: {reason(error)}") from error

    def _stream(self, container: InputContainer) -> VideoStream:
        # The cover picture of a song is a video stream to FFmpeg.
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise DataError(f"{self.path}: has no video stream")
        if streams[0].codec_context is None:
            raise DataError(f"{self.path}: its video codec is unknown; convert it to H.264")
        return streams[0]

    def _pictures(self) -> Pictures:
        decoded, end, damaged = 0, 0.0, False
        with self._open() as container:
            stream, to_rgb = self._stream(container), VideoReformatter()
            tick = float(stream.time_base or 0)
            try:
                for frame in _sound_frames(container, stream):
                    # Not `frame.time`: PyAV does not set it for frames that were waiting in the decoder.
                    start = decoded / self.rate if frame.pts is None else frame.pts * tick
                    end = start + frame.duration * tick
                    decoded += 1
                    yield partial(_upright_pixels, frame, to_rgb)
            except (av.FFmpegError, _Damage):
                damaged = True
            announced = stream.frames
            announced_end = _announced_end(stream)
        if decoded == 0:
            raise DataError(f"{self.path}: not one frame can be decoded; it is damaged or empty")
        if announced_end is not None and decoded != announced:
            missing = round((announced_end - end) * self.rate)
            damaged |= missing > 0
            announced = announced or decoded + missing
        if damaged:
            of = f" of {announced}" if announced > decoded else ""
            self._warn(f"damaged after frame {decoded - 1}; {decoded}{of} frames could be read")


class Camera(Clip):
    """A camera of this computer, /dev/videoN (Linux only). Every iteration numbers its frames from 0.

    Damaged frames, which cameras deliver now and then, are passed over.
    """

    is_live = True

    def __init__(self, number: int) -> None:
        self.name = f"camera {number}"
        self._device = f"/dev/video{number}"
        with self._open() as container:
            self.rate = float(container.streams.video[0].average_rate or DEFAULT_RATE)
        self.size = self._first_size()

    def __len__(self) -> int:
        raise DataError(f"{self.name}: has no number of frames; it delivers them without end")

    def _open(self) -> InputContainer:
        try:
            return av.open(self._device, format="v4l2")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DataError(f"{self.name}: {self._device} cannot be opened: {reason(error)}") from error

    def _pictures(self) -> Pictures:
        to_rgb = VideoReformatter()
        with self._open() as container:
            packets = container.demux(container.streams.video[0])
            while True:
                try:
                    decoded = next(packets).decode()
                except av.error.InvalidDataError:
                    continue
                except (av.FFmpegError, StopIteration) as error:
                    raise DataError(
                        f"{self.name}: delivers no more frames; is it still connected?"
                    ) from error
                for frame in decoded:
                    if not frame.is_corrupt:
                        yield partial(_upright_pixels, frame, to_rgb)


class _Damage(Exception):
    """A frame that the decoder had to make up in part, or bytes that are missing."""


def _sound_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """The frames in order, up to the first damage; raises `_Damage` or an error of FFmpeg there.

    PyAV's default, threads within a frame, is kept: threads over several frames lose the error of the last.
    """
    for packet in container.demux(stream):
        # The frames before missing bytes are sound; some of them still wait in the decoder for their turn.
        for frame in stream.codec_context.decode(None if packet.is_corrupt else packet):
            if frame.is_corrupt:
                raise _Damage
            yield frame
        if packet.is_corrupt:
            raise _Damage


def _announced_end(stream: VideoStream) -> float | None:
    """When the last frame ends, in seconds, by the file's header; None where the header does not say.

    Only MP4 and AVI, which also number their frames, and Matroska say it; FFmpeg guesses it for the others.
    """
    if stream.frames and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d\.?\d*)", stream.metadata.get("DURATION", ""))
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else None


def _upright_pixels(frame: av.VideoFrame, to_rgb: VideoReformatter) -> NDArray[np.uint8]:
    pixels = to_rgb.reformat(frame, format="rgb24").to_ndarray()
    # `rotation` counts degrees anticlockwise, as `rot90` counts quarters.
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
