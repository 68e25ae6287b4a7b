"""Video files and cameras as clips (`clip.py`), and which kind of clip a path is."""

from __future__ import annotations

import itertools
import stat
import warnings
from functools import cached_property, partial
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from videoquant.data.clip import DEFAULT_RATE as DEFAULT_RATE
from videoquant.data.clip import Clip as Clip
from videoquant.data.clip import ClipWarning as ClipWarning
from videoquant.data.clip import Frame as Frame
from videoquant.data.clip import Picture, Pictures
from videoquant.data.clip import Stills as Stills
from videoquant.data.contents import Contents, contents, frame_times, main_stream, missing_frames
from videoquant.data.decoding import Decoding
from videoquant.data.images import image_files, is_image
from videoquant.errors import DataError
from videoquant.files import reason
from videoquant.limits import check_size
from videoquant.network.video_frame import square_size, upright_pixels
from videoquant.text import printable

# How the files of phones begin, after a length; FFmpeg would take one of their tiles for a film.
HEIC = (
    b"ftypheic",
    b"ftypheix",
    b"ftypheim",
    b"ftypheis",
    b"ftyphevc",
    b"ftyphevx",
    b"ftypmif1",
    b"ftypmsf1",
)
USUAL_RATE = 240.0  # a higher one is believed only if the frames' times say the same
HIGHEST_RATE = 1000.0


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


class VideoFile(Clip):
    """A video file, shown as players show it: upright, of square pixels, in the colours that it states.

    It begins at its first keyframe. What is damaged is passed over up to the next keyframe (`decoding.py`),
    and a `ClipWarning` says how much that was, once for each object; frames keep their numbers.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, printable(path.name)
        self._said: set[str] = set()
        if path.stat().st_size == 0:
            raise DataError(f"{path}: is empty")
        try:
            with path.open("rb") as file:
                is_heic = file.read(12)[4:] in HEIC
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {reason(error)}") from error
        if is_heic:
            raise DataError(f"{path}: is a HEIC picture; save it as JPEG or PNG")
        with self._open() as container:
            self._chosen = main_stream(container, self._streams(container))
        with self._open() as container:
            stream = self._stream(container)
            width, height = square_size(stream.width, stream.height, stream.sample_aspect_ratio)
            check_size(3 * width * height, f"{path}: a frame of {height}×{width}", DataError)
            rates = stream.average_rate, stream.codec_context.framerate, stream.guessed_rate
            stated = float(next((rate for rate in rates if rate), 0))
        # Some files state the clock's rate for that of their frames.
        self._is_timed = True
        self.rate = stated if 0 < stated <= USUAL_RATE else self._measured_rate()
        self.size = self._first_size()

    def __len__(self) -> int:
        """The frames from the first keyframe on, counted without decoding; damaged ones count."""
        return self._contents.count

    def check(self) -> None:
        contents = self._contents
        if contents.missing:
            self._warn(
                "damaged",
                f"cut short; {contents.count} of {contents.count + contents.missing} frames are there",
            )

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            warnings.warn(f"{self.name}: {text}", ClipWarning, stacklevel=4)

    @cached_property
    def _contents(self) -> Contents:
        with self._open() as container:
            return contents(container, self._stream(container), self.rate)

    def _measured_rate(self) -> float:
        """Frames per second by their times; `DEFAULT_RATE` where those cannot be either."""
        with self._open() as container:
            times = frame_times(container, self._stream(container))
        length = max(times) - min(times) if times else 0.0
        rate = (len(times) - 1) / length if length else 0.0
        self._is_timed = 0 < rate <= HIGHEST_RATE
        return rate if self._is_timed else DEFAULT_RATE

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
        return next(stream for stream in self._streams(container) if stream.index == self._chosen)

    def _streams(self, container: InputContainer) -> list[VideoStream]:
        # The cover picture of a song is a video stream to FFmpeg.
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise DataError(f"{self.path}: has no video stream")
        known = [stream for stream in streams if stream.codec_context is not None]
        if not known:
            raise DataError(f"{self.path}: its video codec is unknown; convert it to H.264")
        return known

    def _pictures(self) -> Pictures:
        for strict in (True, False):
            with self._open() as container:
                stream = self._stream(container)
                aspect, to_rgb = stream.sample_aspect_ratio, VideoReformatter()
                decoding = Decoding(container, stream, self.rate, strict)
                try:
                    for decoded in decoding:
                        if decoding.sound == 1:
                            self._say_where_it_begins(decoding.before, strict)
                        read = partial(upright_pixels, decoded.frame, aspect, to_rgb)
                        yield Picture(read, decoded.index, decoded.time if self._is_timed else None)
                finally:
                    self._say_what_was_lost(decoding, stream)
            if decoding.sound:
                return
        raise DataError(f"{self.path}: not one frame can be decoded; it is damaged or empty")

    def _say_where_it_begins(self, before: int, strict: bool) -> None:
        if not strict:
            self._warn("begins", "has no sound keyframe; its frames are what the decoder makes of the rest")
        elif before:
            self._warn("begins", f"begins inside a group of pictures; {before} frames are passed over")

    def _say_what_was_lost(self, decoding: Decoding, stream: VideoStream) -> None:
        if not decoding.sound:
            return
        missing = 0
        if decoding.is_done:
            missing = missing_frames(stream, decoding.end, self.rate, decoding.packets)
        if decoding.broken_after is None and not missing and not decoding.is_cut:
            # Some decoders leave frames out without a word. The last packet of some codecs holds none.
            if decoding.is_done and decoding.count - decoding.sound > 1:
                self._warn("damaged", f"damaged; {decoding.sound} of {decoding.count} frames could be read")
            return
        after = decoding.last_index if decoding.broken_after is None else decoding.broken_after
        if not decoding.is_done:
            self._warn("damaged", f"damaged after frame {after}; frames are passed over")
            return
        count = decoding.count + missing
        of = f" of {count}" if count > decoding.sound else ""
        rest = ", the others are passed over" if decoding.resumed else ""
        self._warn("damaged", f"damaged after frame {after}; {decoding.sound}{of} frames could be read{rest}")


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
        to_rgb, numbers = VideoReformatter(), itertools.count()
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
                        yield Picture(partial(upright_pixels, frame, to_rgb=to_rgb), next(numbers))
