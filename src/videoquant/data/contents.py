"""What a video file holds, and what it says that it holds, without decoding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

LOOK_AHEAD = 100  # packets, in which a film has more than one frame and its thumbnail has not

VP8_SHOWN = 0x10  # the flag show_frame of a packet's first byte: RFC 6386, section 9.1


@dataclass(frozen=True)
class Contents:
    """count: frames from the first keyframe on. missing: how many more the file's header announces."""

    count: int
    missing: int


class Slots:
    """Numbers the packets of a stream by the frames they show, but for those shown before the first.

    are_times: AVI stores a frame for every tick of its rate, and an empty one, which never arrives, where
        nothing changed: there the number is the time. The times of its frames are not always in order.
    last: the number of the last packet.
    before: that of the packet before the first one counted.
    is_new: whether the last packet gives a frame that counts.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.are_times = container.format.name == "avi"
        self.last = self.before = -1
        self.is_new = False
        self._stream, self._is_first = stream, True
        self._first_shown: int | None = None

    def add(self, packet: Packet[VideoStream]) -> None:
        """Number the next packet; one that shows nothing has the number of the one before."""
        if packet.is_keyframe:
            self._first_shown = None  # what follows another keyframe leads that one at most
        self.is_new = shown = is_shown(packet, self._stream) and not self._leads(packet)
        self.last = packet.dts if self.are_times and packet.dts is not None else self.last + shown
        if self._is_first:
            self.begin(packet)

    def begin(self, packet: Packet[VideoStream]) -> None:
        """Count from the last packet on, which is this one; at first it is the first of all."""
        self._is_first = False
        self._first_shown = packet.pts
        self.before = self.last - is_shown(packet, self._stream)

    def _leads(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet is shown before the first: it leans on what came before the file begins."""
        return self._first_shown is not None and packet.pts is not None and packet.pts < self._first_shown

    @property
    def count(self) -> int:
        """The frames so far."""
        return self.last - self.before


def is_shown(packet: Packet[VideoStream], stream: VideoStream) -> bool:
    """Whether a packet gives a frame: not where an edit list hides it, or VP8 only refers to it."""
    if stream.codec_context.name in ("vp8", "libvpx") and not bytes(memoryview(packet)[:1])[0] & VP8_SHOWN:
        return False
    return not packet.is_discard


def packet_end(packet: Packet[VideoStream], stream: VideoStream) -> float:
    """When a packet's frame ends, in seconds of the file's clock."""
    return float(((packet.pts or 0) + (packet.duration or 0)) * (stream.time_base or 0))


def contents(container: InputContainer, stream: VideoStream, rate: float) -> Contents:
    """Count the frames of a file just opened. rate: frames per second, to count what is missing by time."""
    slots, end, packets, is_begun = Slots(container, stream), 0.0, 0, False
    for packet in _readable(container, stream):
        packets += 1
        end = max(end, packet_end(packet, stream))
        slots.add(packet)
        if packet.is_keyframe and not is_begun:
            is_begun = True
            slots.begin(packet)
    return Contents(slots.count, missing_frames(stream, end, rate, packets))


def missing_frames(stream: VideoStream, end: float, rate: float, packets: int) -> int:
    """How many frames a file announces beyond `end` (seconds), where its `packets` end."""
    announced = announced_end(stream)
    missing = 0 if announced is None else max(0, round((announced - end) * rate))
    if stream.frames:
        return max(1, stream.frames - packets) if missing else 0
    return missing if missing > 1 else 0  # Matroska's writers do not agree on how long the last frame is


def announced_end(stream: VideoStream) -> float | None:
    """When the last frame ends, in seconds, by the file's header; None where the header does not say.

    Only MP4 and AVI, which also number their frames, and Matroska say it; FFmpeg guesses it for the others.
    """
    if stream.frames and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d\.?\d*)", stream.metadata.get("DURATION", ""))
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else None


def frame_times(container: InputContainer, stream: VideoStream) -> list[float]:
    """When the frames of a file just opened are shown, in seconds, in the order of the file."""
    tick = float(stream.time_base or 0)
    return [packet.pts * tick for packet in _readable(container, stream) if packet.pts is not None]


def main_stream(container: InputContainer, streams: Sequence[VideoStream]) -> int:
    """The index of the film among the video streams of a file just opened, as cameras add a thumbnail to it.

    It is the largest picture of those that have more than one frame, if any has.
    """
    if len(streams) == 1:
        return streams[0].index
    counts = Counter(packet.stream.index for packet in islice(_readable(container, *streams), LOOK_AHEAD))
    best = max(streams, key=lambda s: (counts[s.index] > 1, s.width * s.height))
    return best.index


def _readable(container: InputContainer, *streams: VideoStream) -> Iterator[Packet[Any]]:
    """The packets that hold anything, up to an error of the file."""
    with suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(*streams) if packet.size)
