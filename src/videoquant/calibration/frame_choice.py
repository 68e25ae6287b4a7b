"""Whether residual frames take the frame's own codes at a quantizer, in place of a difference's.

A signed grid of ±c has half the resolution of the frame's own, which mostly begins at 0. So a difference is
better to quantize only where it is less than half as large. Before a moving camera it is not, the less so the
further away the keyframe is. Which of both brings the layers that read the point closer to floating point is
measured there, on calibration frames. In the end the network's output decides between what was chosen and
residuals everywhere: a point is looked at with the inputs that it gets, and of inputs that frames of 2 bits
have spoilt residuals look no better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product

from torch import Tensor

from videoquant.calibration.layer_outputs import LayerOutputs
from videoquant.calibration.output_error import exact_streams, stream_error
from videoquant.network.graph import Network, Node
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.quantized_tensor import Represented

FRAMES = 8  # about so many residual frames are compared, spread over all clips
# Of the error of residual codes at most must remain. Frame codes have few zeros, which residuals are full of.
MARGIN = 0.8

OUTPUT_FRAMES = 24  # about so many frames of whole runs decide in the end

# What is made of a run, which begins with a keyframe.
Codes = Callable[[Sequence[int]], Iterator[Represented]]


def compared_runs(clips: Sequence[range], recurrent: bool) -> list[Sequence[int]]:
    """The frames that are looked at: runs that begin with a keyframe.

    A pairwise residual needs its keyframe alone, a recurrent one all frames between.
    """
    wanted = FRAMES // (max(map(len, clips)) - 1) if recurrent else FRAMES
    clips = clips[:: max(1, len(clips) // max(1, wanted))]
    if recurrent:
        return list(clips)
    step = max(1, sum(len(clip) - 1 for clip in clips) // FRAMES)
    # Each clip begins at another distance from its keyframe, so that all are met.
    return [[clip[0], *clip[1 + number % step :: step]] for number, clip in enumerate(clips)]


def frame_codes_are_better(
    outputs: LayerOutputs,
    layers: Sequence[Node],
    read: Callable[[int], Tensor],
    runs: Sequence[Sequence[int]],
    residual: Codes,
    frame: Codes,
) -> bool:
    """Whether layers that read a point come clearly closer to floating point with the frame's own codes.

    read: the point's value, by the number of the frame.
    residual, frame: its codes in a run, residual frames' as differences or their own.
    """
    errors = {residual: 0.0, frame: 0.0}
    for node, run in product(layers, runs):
        given = {
            residual: islice(outputs.of_clip(node, residual(run), of_frame=False), 1, None),
            frame: (outputs.of_residual_frame(node, x_hat) for x_hat in islice(frame(run), 1, None)),
        }
        for i in run[1:]:
            exact = outputs.exact(node, read(i))
            size = max(float(exact.square().sum()), 1e-30)
            for kind, found in given.items():
                errors[kind] += float((next(found) - exact).square().sum()) / size
    return errors[frame] < MARGIN * errors[residual]


def residuals_are_closer(
    residual: QuantizedNetwork, chosen: QuantizedNetwork, network: Network, clips: Sequence[Sequence[Tensor]]
) -> bool:
    """Whether the first output is closer to floating point with residuals everywhere than with what was
    chosen. clips: what both were calibrated on. network: in floating point."""
    runs = exact_streams(network, clips, OUTPUT_FRAMES)
    return stream_error(residual, runs) < stream_error(chosen, runs)
