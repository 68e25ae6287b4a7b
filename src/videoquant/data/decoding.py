"""The sound frames of a video stream: what is damaged is passed over up to the next keyframe.

Damage is seen where format and codec show it: VP8 and VP9 carry no check of their contents, Matroska skips
what it cannot read in the middle, and a transport stream does not say how long it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from videoquant.data.contents import Slots, is_shown, packet_end

# Seconds. A longer stretch without a frame is a jump of the clock, unless ten frames last as long.
LONGEST_STILL = 3600.0


@dataclass(frozen=True)
class Decoded:
    """index: the frame's number from the first keyframe on, those passed over counted. time: in seconds."""

    frame: av.VideoFrame
    index: int
    time: float


class Decoding:
    """One reading of a stream's frames, in the order they are shown, and what it had to pass over.

    After damage it goes on at the next keyframe. Frames that come out of that but are shown before it lean on
    what was lost, and are passed over too. Null frames of an AVI file repeat the one before.

    rate: frames per second, for what has no times.
    strict: False takes every frame that a decoder gives, also what it made up for want of a keyframe.
    before: frames that had to be passed over before the first sound one.
    sound: those that were read.
    broken_after: the index of the last frame before the first damage; None where there was none.
    resumed: whether frames were read after it.
    end: when the last packet ends, in seconds of the file's clock.
    is_cut: whether reading ended in an error of the file.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, rate: float, strict: bool = True
    ) -> None:
        self.before = self.sound = 0
        self.broken_after: int | None = None
        self.resumed = self.is_done = self.is_cut = False
        self.packets, self.end = 0, 0.0
        self._container, self._stream, self._rate, self._strict = container, stream, rate, strict
        self._decoder = stream.codec_context
        self._slots = Slots(container, stream)
        self._is_begun = False  # whether a keyframe has come
        self._clock = _Clock(stream, rate)
        self._is_waiting = strict  # for a keyframe
        self._is_fresh = True  # no sound frame has followed that keyframe yet
        self._waiting_slots: deque[int] = deque()  # of the packets whose frames are still to come
        self._first_shown: int | None = None  # when the keyframe after a damage is shown
        self._last: Decoded | None = None

    @property
    def count(self) -> int:
        """Frames from the first keyframe on, as the packets say."""
        return self._slots.count

    @property
    def last_index(self) -> int:
        """Of the last sound frame; -1 before the first."""
        return self._last.index if self._last else -1

    def __iter__(self) -> Iterator[Decoded]:
        # PyAV's default, threads within a frame, is kept: several frames at once lose the error of the last.
        for packet in self._packets():
            if self._is_waiting and not self._begins(packet):
                self.before += self.sound == 0 and is_shown(packet, self._stream)
                continue
            frames, is_broken = self._decode(packet)
            yield from self._sound(frames, is_broken)
        if not self._is_waiting:
            yield from self._sound(*self._decode(None))
        self.is_done = True

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Those that hold anything: an empty one would tell the decoder that the film ends."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self.packets += 1
                    self.end = max(self.end, packet_end(packet, self._stream))
                    self._slots.add(packet)
                    yield packet
        except av.FFmpegError:
            self.is_cut = True

    def _begins(self, packet: Packet[VideoStream]) -> bool:
        """Whether reading can begin, or go on, at this packet."""
        if not packet.is_keyframe or packet.is_corrupt:
            return False
        if self._is_begun:
            self._first_shown = packet.pts
        else:
            self._is_begun = True
            self._slots.begin(packet)
        self._is_waiting, self._is_fresh = False, True
        return True

    def _decode(self, packet: Packet[VideoStream] | None) -> tuple[list[av.VideoFrame], bool]:
        """The frames that are due, and whether there is damage after them."""
        is_broken = self._strict and packet is not None and packet.is_corrupt
        try:
            # The frames before missing bytes are sound; some of them still wait in the decoder.
            frames = self._decoder.decode(None if is_broken else packet)
        except av.FFmpegError:
            return [], True
        if packet is not None and not is_broken and self._slots.is_new:
            self._waiting_slots.append(self.count - 1)
        return frames, is_broken

    def _sound(self, frames: list[av.VideoFrame], is_broken: bool) -> Iterator[Decoded]:
        for frame in frames:
            if frame.is_corrupt and self._strict and not self._is_fresh:
                is_broken = True
                break
            index = self._waiting_slots.popleft() if self._waiting_slots else 0
            index = max(index, self.last_index + 1)
            if self._leans(frame) or (frame.is_corrupt and self._strict):
                self.before += self.sound == 0
                continue
            if self._slots.are_times and self._last and not self._is_fresh:
                for null in range(self._last.index + 1, index):
                    yield Decoded(self._last.frame, null, null / self._rate)
                    self.sound += 1
            self.resumed |= self.broken_after is not None
            self.sound += 1
            self._is_fresh = False
            time = index / self._rate if self._slots.are_times else self._clock.time(frame, index)
            self._last = Decoded(frame, index, time)
            yield self._last
        if is_broken and self._strict:
            self._lose()

    def _leans(self, frame: av.VideoFrame) -> bool:
        """Whether a frame comes out of the keyframe after a damage, but is shown before it."""
        return self._first_shown is not None and frame.pts is not None and frame.pts < self._first_shown

    def _lose(self) -> None:
        self._is_waiting = True
        self._decoder.flush_buffers()
        self._waiting_slots.clear()
        if self._last and self.broken_after is None:
            self.broken_after = self.last_index


class _Clock:
    """When frames are shown, in seconds from the first, always ascending.

    A clock that jumps back, or by more than `LONGEST_STILL`, as where films were joined, goes on from there.
    """

    def __init__(self, stream: VideoStream, rate: float) -> None:
        self._tick, self._rate = float(stream.time_base or 0), rate
        self._longest = max(LONGEST_STILL, 10 / rate)
        self._start: float | None = None
        self._last: tuple[int, float] | None = None
        self._faults, self._highest = [0, 0], [-inf, -inf]  # of the times for showing, and for decoding

    def time(self, frame: av.VideoFrame, index: int) -> float:
        # Not `frame.time`: PyAV does not set it for frames that were waiting in the decoder.
        ticks = self._better(frame)
        stated = None if ticks is None else ticks * self._tick
        if self._last is None:
            self._start, time = stated, 0.0
        else:
            last_index, last = self._last
            time = last + (index - last_index) / self._rate
            if stated is not None and self._start is not None:
                if last < stated - self._start <= last + self._longest:
                    time = stated - self._start
                self._start = stated - time
        self._last = index, time
        return time

    def _better(self, frame: av.VideoFrame) -> int | None:
        """The frame's time for showing or, where those are more often out of order, for decoding.

        FFmpeg's `guess_correct_pts`. Some containers, such as ASF, have no times for showing.
        """
        stamps = frame.pts, frame.dts
        for kind, stamp in enumerate(stamps):
            if stamp is not None:
                self._faults[kind] += stamp <= self._highest[kind]
                self._highest[kind] = max(stamp, self._highest[kind])
        pts, dts = stamps
        if pts is None or (dts is not None and self._faults[0] > self._faults[1]):
            return dts
        return pts
