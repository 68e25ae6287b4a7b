"""Several clips one after another, as one: what calibrates on all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from videoquant.data.clip import Clip, Frame, Pictures
from videoquant.errors import DataError


class JoinedClip(Clip):
    """Clips one after another. Spans of `runs` count positions through all of them.

    Between two clips the frames' `index` has a gap, which a stream takes for a seek. Raises `DataError` for a
    camera, which has no end. parts: the positions of each clip.
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = list(clips)
        if any(clip.is_live for clip in clips):
            raise DataError("a camera has no end that another clip could follow; give it alone")
        self.name = ", ".join(clip.name for clip in clips)
        self.size, self.rate = clips[0].size, clips[0].rate
        ends = [0, *accumulate(map(len, clips))]
        self.parts = [range(*ends[i : i + 2]) for i in range(len(clips))]
        spans = [clip.index_at(len(clip) - 1) + 2 for clip in clips]
        self._offsets = [0, *accumulate(spans)][:-1]

    def __len__(self) -> int:
        return self.parts[-1].stop

    def index_at(self, position: int) -> int:
        at = bisect_right([part.start for part in self.parts], position) - 1
        return self.clips[at].index_at(position - self.parts[at].start) + self._offsets[at]

    def check(self) -> None:
        for clip in self.clips:
            clip.check()

    def _select(self, spans: Sequence[range]) -> Iterator[Frame]:
        for number, (clip, part) in enumerate(zip(self.clips, self.parts, strict=True)):
            own = [
                range(max(span.start, part.start) - part.start, min(span.stop, part.stop) - part.start)
                for span in spans
            ]
            for frame in clip.runs([span for span in own if span]):
                yield replace(frame, index=frame.index + self._offsets[number], source=number)

    def _pictures(self) -> Pictures:
        raise NotImplementedError  # `_select` asks the clips
