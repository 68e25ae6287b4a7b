"""What schemes are measured against on a clip: its frames and what floating point gives for them, kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from videoquant.data.clip import Clip, Frame
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network, Node
from videoquant.runtime.clock import index_and_size
from videoquant.tasks.scoring import Score

LIMIT = 1 << 28  # bytes of frames, and as many of inputs and of outputs: what is beyond is made anew
PIECE = 30  # frames: so many are worth a task of their own
PIECES = 4  # of a clip at most: a video is decoded from its first frame on, whichever piece is wanted


@dataclass(frozen=True)
class Piece:
    """Frames of a clip that are scored by themselves, since a keyframe of every scheme begins them.

    first: how many of the clip's scored frames come before.
    spans: as of `Clip.runs`.
    """

    first: int
    spans: tuple[range, ...]


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """A clip and what is scored of it.

    spans: the frames, as of `Clip.runs`.
    picture_frames: indexes of frames to draw.
    score: makes what scores outputs against labels; None where there are none.
    """

    clip: Clip
    spans: tuple[range, ...]
    picture_frames: tuple[int, ...] = ()
    score: Callable[[], Score] | None = None

    @property
    def count(self) -> int:
        return sum(map(len, self.spans))

    def pieces(self, cycle: int, goes_on: bool) -> list[Piece]:
        """About equal pieces of at least about `PIECE` frames; of a labelled clip, whose score is one, one.

        cycle: frames from a keyframe of all schemes to the next such.
        goes_on: whether something is carried over keyframes (the network's states, regions): then pieces
            begin where frames do not follow those before, alone.
        """
        before, since, cuts = 0, 0, {0: 0}  # by the frames before a place where it can be cut, the spans
        for number, (span, after) in enumerate(pairwise(self.spans), 1):
            before, since = before + len(span), since + len(span)
            follows = span.stop == after.start
            since = since if follows else 0
            if not follows or (since % cycle == 0 and not goes_on):
                cuts[before] = number
        wanted = 1 if self.score else max(1, min(PIECES, round(self.count / PIECE)))
        chosen = sorted(
            {min(cuts, key=lambda cut: abs(cut - i * self.count / wanted)) for i in range(wanted)}
        )
        ends = [*(cuts[first] for first in chosen[1:]), len(self.spans)]
        return [Piece(first, self.spans[cuts[first] : end]) for first, end in zip(chosen, ends, strict=True)]


class References:
    """The scored frames of a clip, one pass after another, with the network's input and the outputs of each.

    Frames are kept where all fit into `LIMIT` bytes, inputs and outputs as far as they do. Of networks with
    states outputs are not kept: each needs the frames before it.
    """

    def __init__(self, network: Network, scored: ScoredClip) -> None:
        self.network, self.scored = network, scored
        self._exact = FloatStream(network)
        height, width = scored.clip.size
        self._keeps = 3 * height * width * scored.count <= LIMIT
        self._frames: list[Frame] | None = None
        self._inputs: dict[int, Tensor] = {}
        self._outputs: dict[int, dict[str, Tensor]] = {}
        self._room = self._room_of_inputs = LIMIT

    def frames(self, piece: Piece) -> Iterator[Frame]:
        """The frames of a piece of the clip."""
        self._exact.reset()
        if not self._keeps:
            yield from self.scored.clip.runs(piece.spans)
            return
        if self._frames is None:
            self._frames = list(self.scored.clip.runs(self.scored.spans))
        indexes = {self.scored.clip.index_at(position) for span in piece.spans for position in span}
        yield from (frame for frame in self._frames if frame.index in indexes)

    def input(self, number: int, frame: Frame) -> Tensor:
        """The network's input for the frame of a number from 0."""
        if number in self._inputs:
            return self._inputs[number]
        x = self.network.prepare(frame)
        if x.nbytes <= self._room_of_inputs:
            self._room_of_inputs -= x.nbytes
            self._inputs[number] = x
        return x

    def outputs(
        self, number: int, frame: Frame, x: Tensor, layers: dict[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """What floating point gives for it. x: `input`. Fills `layers` where it is given."""
        known = self._outputs.get(number)
        if known is not None and layers is None:
            return known
        found = reference(self._exact, frame, x, layers)
        size = sum(output.nbytes for output in found.values())
        if known is None and size <= self._room and not self.network.states:
            self._room -= size
            self._outputs[number] = found
        return found


def reference(
    exact: FloatStream, frame: Frame, x: Tensor, layers: dict[str, Tensor] | None
) -> dict[str, Tensor]:
    """The floating-point outputs; fills `layers` with every layer's output where it is given."""

    def compute(node: Node, inputs: list[Tensor]) -> Tensor:
        y = exact.network.apply(node, inputs)
        if layers is not None and node.is_layer:
            layers[node.name] = y
        return y

    return exact.feed(x, *index_and_size(frame, x.shape), compute)
