"""VideoIQ: a policy network looks at each frame and picks the quantized network that runs on it.

Sun et al., Dynamic Network Quantization for Efficient Video Inference, ICCV 2021. The policy is trained by
`videoquant.training.policy`. Which of several networks runs is no property of one of them, so a policy is not
a word of a scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.errors import DataError, NetworkError
from videoquant.network.graph import Network, unwrap
from videoquant.simulate.quantized import QuantizedNetwork

POLICY_BITS = 32  # the policy itself stays in floating point


class PolicyNetwork:
    """Quantized networks and the policy that chooses one of them for every frame.

    policy: in floating point, from what `policy_input` makes of the choices' input to logits 1×K.
    choices: K forms of one network, quantized frame by frame.
    bops: the bit operations of each per frame.
    Raises `NetworkError` where the policy has another number of outputs, and for networks with states.
    """

    def __init__(self, policy: Network, choices: Sequence[QuantizedNetwork], bops: Sequence[float]) -> None:
        (logits,) = policy.outputs.values()
        outputs = policy.shapes[logits][-1]
        if not outputs == len(choices) == len(bops):
            raise NetworkError(f"the policy chooses among {outputs} networks; {len(choices)} are given")
        if choices[0].network.states:
            raise NetworkError(
                f"{choices[0].network.name}: has states, which the choices of a policy would have to share"
            )
        self.policy, self.choices, self.bops = policy, tuple(choices), tuple(bops)

    @cached_property
    def policy_bops(self) -> float:
        """What the policy costs per frame, in bit operations: no stream's `bops` has it, as in the paper."""
        return float(sum(self.policy.macs.values())) * POLICY_BITS**2

    def stream(self) -> PolicyStream:
        """A new stream; streams share these networks and nothing else."""
        return PolicyStream(self)


class PolicyStream:
    """The frames of one video, each through the network that the policy picks for it.

    chosen: which that was for the last frame, an index of `network.choices`; None before the first.
    bops: what it cost, in bit operations, without the policy's own.
    """

    def __init__(self, network: PolicyNetwork) -> None:
        self.network = network
        self._streams = [choice.stream() for choice in network.choices]
        self.reset()

    def reset(self) -> None:
        """Forget the last frame; the next does not depend on it in any case."""
        self.chosen: int | None = None
        self.bops = 0.0

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """The chosen network's output for a frame: a Tensor, or {name: Tensor} where there are several.

        frame: a `Frame`, a picture (`network.frames`), or the networks' input 1×C×H×W.
        """
        return unwrap(self.run(frame))

    def run(self, frame: Any) -> dict[str, Tensor]:
        """As calling it, but always {name: Tensor}."""
        x = self.network.choices[0].network.prepare(frame)
        chosen = self.choose(x)
        outputs = self._streams[chosen].run(x)
        self.chosen, self.bops = chosen, self.network.bops[chosen]
        return outputs

    @torch.no_grad()
    def choose(self, frame: Any) -> int:
        """The choice for a frame; the first of those with the largest logit. Runs none of them.

        Raises `DataError` where the frame is not a single one, or the policy's output is not finite.
        """
        x = self.network.choices[0].network.prepare(frame)
        if len(x) != 1:
            raise DataError(f"a policy chooses for one frame at a time; the input holds {len(x)}")
        policy = self.network.policy
        (logits,) = policy.run(policy_input(x, policy.size)).values()
        if not bool(torch.isfinite(logits).all()):
            raise DataError(f"{policy.name}: the policy's logits are not finite; train it anew")
        return int(logits.argmax())


def policy_input(x: Tensor, size: tuple[int, int]) -> Tensor:
    """What a policy sees: the choices' input N×C×H×W resized to `size`, bilinear and antialiased."""
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
