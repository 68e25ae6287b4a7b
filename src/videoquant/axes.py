"""The parts of a scheme: bit-widths, and what its axes representation and time can be.

The third axis, where ranges come from, is `ranges/sources`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import index
from typing import Any, Literal

from videoquant.errors import SchemeError

# Of a layer's weights: a scale for each output channel or one for all, or for each a scale and a zero point.
Granularity = Literal["per-channel", "per-tensor", "asymmetric"]

MOST = 2**20  # of frames, blocks and pixels that a rule of regions counts
FLOAT = 32  # the bit-width that means "left in floating point"


def set_whole(value: Any, **names: str) -> None:
    """Make fields of a frozen value plain ints, of whatever kind of whole number they were given as.

    names: of the fields, with what each is called in a scheme's text. Raises `SchemeError` for other values.
    """
    for field_name, said in names.items():
        given = getattr(value, field_name)
        try:
            object.__setattr__(value, field_name, index(given))
        except TypeError:
            raise SchemeError(f"{said}={given!r}: it must be a whole number") from None


@dataclass(frozen=True)
class Bits:
    """Bit-widths of weights and activations, each 2 to 8, or 32 for floating point."""

    weights: int = 8
    activations: int = 8

    def __post_init__(self) -> None:
        set_whole(self, weights="w", activations="a")
        for kind, bits in (("weights", self.weights), ("activations", self.activations)):
            if bits != FLOAT and not 2 <= bits <= 8:
                raise SchemeError(f"{kind} at {bits} bits: bit-widths are 2 to 8, or 32 for floating point")

    def at_least(self, bits: int) -> Bits:
        """These widths, none below `bits`."""
        return Bits(max(self.weights, bits), max(self.activations, bits))

    def __str__(self) -> str:
        return "fp32" if self == Bits(FLOAT, FLOAT) else f"w{self.weights}a{self.activations}"


@dataclass(frozen=True)
class Uniform:
    """Codes are clipped and rounded values."""


@dataclass(frozen=True)
class DenseSparse:
    """x = D + S: a low-bit dense part within ±T, and what sticks out of it in 16-bit floating point.

    density: the share of elements that S holds, above 0 and at most 0.5. T is their quantile, in place of the
        scheme's estimator.
    """

    density: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.density <= 0.5:
            raise SchemeError(f"ds={self.density:.6g}: the density must be above 0 and at most 50%")
        object.__setattr__(self, "density", float(self.density))


@dataclass(frozen=True)
class Frame:
    """Every frame is quantized by itself."""


@dataclass(frozen=True)
class Residual:
    """One keyframe at the scheme's bits, then period − 1 frames as differences from it at these bits (ResQ).

    bits: of the residual's weights and codes.
    period: T, in frames.
    recurrent: the difference is taken from the frame before, not from the keyframe.
    adaptive: each spatial location takes the least of 0, 4 and 8 bits (none above the residual's own) that
        holds its codes without clipping.
    tolerance: τ, how many steps of clipping that choice allows.
    quantized_reference: the keyframe the difference is taken from is the quantized one, so that the residual
        repairs its error too.
    frame_codes: calibration may let a quantizer take the frame's own codes on residual frames, at the same
        bits, where the layers that read it come clearly closer to floating point so.
    """

    bits: Bits = field(default_factory=lambda: Bits(4, 4))
    period: int = 3
    recurrent: bool = False
    adaptive: bool = False
    tolerance: int = 0
    quantized_reference: bool = True
    frame_codes: bool = True

    def __post_init__(self) -> None:
        set_whole(self, period="T", tolerance="tau")
        if self.period < 1:
            raise SchemeError(f"T={self.period}: the period is one keyframe and T − 1 residuals, at least 1")
        if self.tolerance < 0:
            raise SchemeError(f"tau={self.tolerance}: the tolerance is a number of steps, 0 or more")
        if self.tolerance and not self.adaptive:
            raise SchemeError(f"tau={self.tolerance} needs adaptive: it is the tolerance of its choice")
        if self.adaptive and self.bits.activations == FLOAT:
            raise SchemeError("adaptive needs a residual of 2 to 8 bits: floating point has no codes to fit")
        if self.recurrent and not self.quantized_reference:
            raise SchemeError(
                "recurrent has no unquantized reference: it differs from its own reconstruction"
            )


@dataclass(frozen=True)
class Regions:
    """Only what changes is computed anew, as a gate at the network's input sees it (docs/regions.md).

    trigger: how far the mean of a cell of 4×4 pixels must move from what is held for its block to be computed
        anew, as a multiple of the stream's noise at that brightness.
    floor: the least such change, in levels of 255.
    margin: blocks around a triggered one that are computed with it.
    memory: frames for which a block that was triggered is watched closely: it is computed on as long as it
        stirs, by a quarter of what triggers (where noise decides that, by two thirds).
    rest: frames for which such a block goes on being computed after it was last triggered or stirred; then it
        is left until it is triggered again.
    refresh: every block is computed at least once in so many frames, a band of rows after the other.
    grow: pixels that the region grows by in every map.
    block: height and width of a block of the input, in pixels.
    """

    trigger: float = 6.0
    floor: int = 16
    margin: int = 2
    memory: int = 40
    rest: int = 4
    refresh: int = 128
    grow: int = 0
    block: int = 16

    def __post_init__(self) -> None:
        numbers = ("floor", "margin", "memory", "rest", "refresh", "grow", "block")
        set_whole(self, **{name: name for name in numbers})
        try:
            object.__setattr__(self, "trigger", float(self.trigger))
        except (TypeError, ValueError):
            raise SchemeError(f"trigger={self.trigger!r}: it must be a number") from None
        if not (math.isfinite(self.trigger) and self.trigger > 0):
            raise SchemeError(f"trigger={self.trigger:g}: it is a multiple of the noise, finite and above 0")
        for name, least, unit in (
            ("floor", 1, "levels, from 1 to 255"),
            ("margin", 0, "blocks, 0 or more"),
            ("memory", 1, "frames, 1 or more"),
            ("rest", 0, "frames, 0 or more"),
            ("refresh", 1, "frames, 1 or more"),
            ("grow", 0, "pixels, 0 or more"),
        ):
            if not least <= getattr(self, name) <= (255 if name == "floor" else MOST):
                raise SchemeError(f"{name}={getattr(self, name)}: it is a number of {unit}")
        if self.block % 4 or not 8 <= self.block <= 64:
            raise SchemeError(f"block={self.block}: it must be a multiple of 4 pixels, from 8 to 64")
