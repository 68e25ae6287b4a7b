"""What a policy chooses among: forms of one network, quantized frame by frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch

from videoquant.axes import Frame
from videoquant.costs.bops import frame_bops
from videoquant.errors import DataError, SchemeError
from videoquant.network.graph import Network, Node
from videoquant.simulate.quantized import QuantizedNetwork

_SAME = ("input_shape", "outputs", "preprocessing")  # of the networks, besides their nodes


def check_choices(choices: Sequence[QuantizedNetwork]) -> None:
    """Raise `DataError` for fewer than two choices, for choices of different networks and for equal ones.

    The same network is the same graph for the same input; weights may differ: each is trained by itself.
    Raises `SchemeError` for one that is not quantized frame by frame: where the frame before went through
    another network there is no reference to take a difference from.
    """
    if len(choices) < 2:
        raise DataError(f"a policy needs two quantized networks or more to choose from; got {len(choices)}")
    first = choices[0].network
    for choice in choices:
        if not isinstance(choice.scheme.time, Frame):
            raise SchemeError(f"{choice.scheme}: a policy chooses among networks quantized frame by frame")
        network = choice.network
        for what, its, theirs in (
            ("nodes", _graph(network), _graph(first)),
            *((what, getattr(network, what), getattr(first, what)) for what in _SAME),
        ):
            if its != theirs:
                raise DataError(
                    f"a policy chooses among forms of one network; {network.name} at {choice.scheme} has "
                    f"another {what.replace('_', ' ')} than {first.name} at {choices[0].scheme}"
                )
    texts = [str(choice.scheme) for choice in choices]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise DataError(f"{twice} is given twice; a policy chooses among different schemes")


def _graph(network: Network) -> list[Node]:
    """The nodes, whatever tensors they own: calibration gives some layers a bias."""
    return [replace(node, tensors=()) for node in network.nodes]


def choice_bops(choices: Sequence[QuantizedNetwork]) -> list[float]:
    """The bit operations of each choice per frame."""
    return [frame_bops(choice.network, choice.scheme, is_key=True) for choice in choices]


def fingerprint(choices: Sequence[QuantizedNetwork]) -> str:
    """16 hexadecimal digits that another scheme, weight or range changes."""
    digest = hashlib.sha256()
    for choice in choices:
        digest.update(str(choice.scheme).encode())
        for name, tensor in sorted(choice.network.tensors.items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        for name, layer in sorted(choice.weights.items()):
            if layer.key is not None:
                for part in (layer.key.codes, layer.key.scale):
                    digest.update(name.encode() + part.detach().to(torch.float32).cpu().numpy().tobytes())
        for point, grids in sorted(choice.grids.items(), key=str):
            digest.update(f"{point} {grids}".encode())
    return digest.hexdigest()[:16]
