"""The states of a network in files for engines that know none: inputs, which outputs feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.calibration.sampling import LEAD
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.network.onnx_writer import NEXT, state_names

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class FileNames:
    """What a network's file (`write_onnx`) takes and gives.

    picture: the name of the network's input. shapes: of its states, by the names of their inputs.
    inputs, outputs: of the file, in order.
    """

    picture: str
    shapes: dict[str, tuple[int, ...]]
    outputs: list[str]

    @classmethod
    def of(cls, network: Network) -> FileNames:
        names = state_names(network)
        shapes = {name: tuple(network.shapes[state]) for state, name in names.items()}
        return cls(network.input, shapes, [*network.outputs, *(NEXT + names[s] for s in network.states)])

    @property
    def inputs(self) -> list[str]:
        return [self.picture, *self.shapes]

    def first_states(self) -> Arrays:
        """What states are on the first frame, by the names of their inputs."""
        return {name: np.zeros(shape, np.float32) for name, shape in self.shapes.items()}


def samples_of(network: Network, run: Sequence[Tensor]) -> list[Arrays]:
    """The inputs of the network's file (`write_onnx`), on each frame of a run that calibrates.

    run: consecutive inputs; of a network with states the first `LEAD` only find these, in floating point.
    """
    stream, names, samples = FloatStream(network), state_names(network), list[Arrays]()
    lead = min(LEAD, len(run) - 1) if names else 0
    states = {state: torch.zeros(network.shapes[state]) for state in names}
    for place, x in enumerate(run):
        if place >= lead:
            given = {network.input: x} | {names[state]: y for state, y in states.items()}
            samples.append({name: value.contiguous().numpy() for name, value in given.items()})
        if names:
            with torch.no_grad():
                stream.feed(x)
            states = stream.states
    return samples
