"""The clip of residuals, from all samples together, in which the frame itself has a small vote:

    c = argmin Σ_samples Σ |δ − Q(δ; c)|² + w · Σ_samples Σ |x − Q(x; c)|²

δ are the residuals, x the frames that they are of, w = `VOTE`. A sample in which nothing moves asks for a
clip near zero; in an average of clips it pulls the range down for all, in one sum of errors it counts for
what it is. And a clip of which calibration saw no movement at all still covers what comes later: an object
that moves leaves differences as large as the frame's own values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from videoquant.quantizers.mse_search import histogram, search, summed_errors

VOTE = 0.01  # 0.003 to 0.01 repairs a still clip for 0.1 to 0.4 dB on others
Pairs = Callable[[], Iterable[tuple[Tensor, Tensor]]]


def residual_clip(pairs: Pairs, bits: int) -> float:
    """c, of the signed grid over ±c; 0 where there is nothing but zeros.

    pairs: gives the residual and the frame of each sample, twice.
    bits: of the grid.
    """
    limit = max((float(x.abs().max()) for pair in pairs() for x in pair), default=0.0)
    if limit == 0:
        return 0.0
    centres = counts = torch.zeros(0)
    for residual, frame in pairs():
        centres, of_residual = histogram(residual.abs(), 0.0, limit)
        of_both = of_residual + VOTE * histogram(frame.abs(), 0.0, limit)[1]
        counts = counts + of_both if counts.numel() else of_both
    return limit * search(lambda r: summed_errors(centres, counts, -r * limit, r * limit, 2**bits - 2))
