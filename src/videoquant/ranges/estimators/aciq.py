"""ACIQ: the analytic clip c = argmin of clipping plus rounding error (Banner et al., NeurIPS 2019).

The equations of both priors, and their fit to a tensor, are in `quantizers/aciq_clip.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from videoquant.ranges.estimators.base import InPyTorch


@dataclass(frozen=True)
class ACIQ(InPyTorch):
    """The clip that is best for a Laplace or a Gaussian tensor, whichever is closer to it."""

    word: ClassVar[str] = "aciq"
    module: ClassVar[str] = "videoquant.quantizers.aciq_clip"
