"""What all plots and charts share: colours, and the families of schemes."""

from __future__ import annotations

from typing import Literal

from videoquant.axes import Residual
from videoquant.schemes import Scheme

Family = Literal["float", "frame", "residual", "adaptive"]

INK, MUTED, RULE = "#1f2933", "#66717f", "#e3e7ec"
# The first three are Okabe and Ito's. All stand apart for the colour-blind too (test_palette.py), and from
# white by a contrast of 3 or more. What has more than six kinds needs panels, not colours.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#b8589b", "#4b2c7f", "#52626f")
GREY = "#c3cad3"  # of what stands behind
FAMILY_NAMES: dict[Family, str] = {
    "float": "floating point",
    "frame": "frame quantization",
    "residual": "residual quantization",
    "adaptive": "adaptive residual quantization",
}


def family(text: str) -> Family:
    """Which family a scheme belongs to, by its text."""
    scheme = Scheme.parse(text)
    if scheme.is_float:
        return "float"
    if isinstance(scheme.time, Residual):
        return "adaptive" if scheme.time.adaptive else "residual"
    return "frame"
