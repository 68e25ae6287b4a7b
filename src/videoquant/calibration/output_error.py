"""How far a quantized network's outputs are from floating point, for choices that the outputs decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output

# Consecutive network inputs, and the floating-point outputs of the last of them.
ExactRun = tuple[Sequence[Tensor], dict[str, Tensor]]
Errors = dict[str, tuple[Tensor, int]]
# Consecutive network inputs, and the first output of each in floating point.
ExactStream = tuple[Sequence[Tensor], list[Tensor]]

FEW = 64
TINY = 1e-20  # added to squared errors, which may be none


def exact_runs(network: Network, clips: Sequence[Sequence[Tensor]]) -> list[ExactRun]:
    """Clips with the floating-point outputs of their last frames."""
    with torch.no_grad():
        return [(clip, _exact(network, clip)) for clip in clips]


def _exact(network: Network, clip: Sequence[Tensor]) -> dict[str, Tensor]:
    if not network.states:
        return network.run(clip[-1])
    stream = FloatStream(network)
    return [stream.feed(x) for x in clip][-1]


def error_shares(quantized: QuantizedNetwork, runs: Sequence[ExactRun]) -> float:
    """The squared error of all outputs, each as a share of its own square, summed over runs."""
    total = 0.0
    for found, exact in _outputs(quantized, runs):
        for name, reference in exact.items():
            noise = float((found[name] - reference).double().square().sum())
            total += noise / max(float(reference.double().square().sum()), 1e-30)
    return total


def exact_streams(network: Network, clips: Sequence[Sequence[Tensor]], frames: int) -> list[ExactStream]:
    """Whole clips of about so many frames, spread over all, with what floating point gives first for each."""
    output = primary_output(network)
    chosen = clips[:: max(1, sum(map(len, clips)) // frames)]
    with torch.no_grad():
        streams = [(clip, FloatStream(network)) for clip in chosen]
        return [(clip, [stream.feed(x)[output] for x in clip]) for clip, stream in streams]


def stream_error(quantized: QuantizedNetwork, runs: Sequence[ExactStream]) -> float:
    """The squared error of the first output over all frames, as a share of its own square."""
    stream, output, noise, size = quantized.stream(), primary_output(quantized.network), 0.0, 1e-30
    with torch.no_grad():
        for clip, exact in runs:
            stream.reset()
            for x, reference in zip(clip, exact, strict=True):
                noise += float((stream.feed(x)[output] - reference).double().square().sum())
                size += float(reference.double().square().sum())
    return noise / size


def channel_errors(quantized: QuantizedNetwork, runs: Sequence[ExactRun]) -> Errors:
    """By output, the squared error of every channel, summed over runs (C, float64), of how many numbers."""
    total: Errors = {}
    for found, exact in _outputs(quantized, runs):
        for name, reference in exact.items():
            errors, count = by_channel((found[name].double() - reference).square()).sum(1), reference.numel()
            known, before = total.get(name, (0.0, 0))
            total[name] = errors + known, count + before
    return total


def gain(errors: Errors, before: Errors) -> float:
    """How much closer outputs came, in decibels: the mean over outputs of the mean over channels.

    Of ratios, so that nothing counts for more because its numbers are large, as the sides of boxes are
    beside their scores. Outputs of n numbers count n / (n + `FEW`): the error of a few is mostly chance.
    """
    ratios, shares = [], []
    for name, (found, count) in errors.items():
        ratios.append(torch.log10((before[name][0] + TINY) / (found + TINY)).mean())
        shares.append(count / (count + FEW))
    weights = torch.tensor(shares, dtype=torch.float64)
    return 10 * float((torch.stack(ratios) * weights).sum() / weights.sum())


def by_channel(x: Tensor) -> Tensor:
    """C × elements of a map N×C×H×W; of N×A×B the smaller counts as channels; of fewer there is one."""
    if x.dim() < 3:
        return x.reshape(1, -1)
    return x.movedim(2 if x.dim() == 3 and x.shape[2] < x.shape[1] else 1, 0).flatten(1)


def _outputs(
    quantized: QuantizedNetwork, runs: Sequence[ExactRun]
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """What the quantized network gives on each run's last frame, and what floating point does."""
    stream = quantized.stream()
    for clip, exact in runs:
        stream.reset()
        with torch.no_grad():
            yield [stream.feed(x) for x in clip][-1], exact
