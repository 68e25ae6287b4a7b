"""One video going through a network in floating point: its states go on from frame to frame."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from videoquant.network.graph import Compute, Network, Node
from videoquant.runtime.clock import Clock, index_and_size


class FloatStream:
    """The states of one video. Frames go in one after another; a network without states is the same on each.

    A frame of another size, a frame whose index does not follow the last one (a seek) and `reset()` begin a
    video anew (see `Clock`), as the streams of quantized networks do. Gradients flow within a frame, and not
    from one to the next.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.reset()

    def reset(self) -> None:
        """Forget everything: states are 0 on the next frame."""
        self._clock = Clock()
        self._states: dict[str, Tensor] = {}

    @property
    def states(self) -> dict[str, Tensor]:
        """What the states are on the next frame, by name; empty before the first."""
        return dict(self._states)

    def run(self, frame: Any, compute: Compute[Tensor] | None = None) -> dict[str, Tensor]:
        """The network's outputs for the next frame, by name. frame: see `Network.prepare`.

        compute: in place of `Network.apply`, as of `Network.run`.
        """
        x = self.network.prepare(frame)
        return self.feed(x, *index_and_size(frame, x.shape), compute)

    def feed(
        self,
        x: Tensor,
        index: int | None = None,
        size: tuple[int, ...] | None = None,
        compute: Compute[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """As `run`, for a network input. index, size: of the frame that it was made from."""
        network, given = self.network, compute or self.network.apply
        clock = self._clock.tick(index, size or tuple(x.shape))
        before = {} if clock.restarts else self._states
        after: dict[str, Tensor] = {}

        def keep(value: str, y: Tensor) -> None:
            after.update(dict.fromkeys(network.becomes.get(value, ()), y.detach()))

        def carried(node: Node, inputs: list[Tensor]) -> Tensor:
            y = before[node.name] if node.name in before else given(node, inputs)
            keep(node.name, y)
            return y

        keep(network.input, x)
        outputs = network.run(x, carried)
        self._clock, self._states = clock, after
        return outputs
