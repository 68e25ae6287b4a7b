"""The parts of a scheme: bit-widths, and the values of its three axes — ranges, representation, time."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import index
from typing import Any

from videoquant.errors import SchemeError

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
class Static:
    """Ranges are the calibration samples' average, known before run time."""


@dataclass(frozen=True)
class Dynamic:
    """Ranges are measured on each input, before each layer."""


@dataclass(frozen=True)
class Predicted:
    """Ranges are predicted from a few numbers of the network's early activations (QPP).

    features: how many numbers, 1 to 49. 5 are those of the paper: the quantiles 0.9, 0.99, 0.999, mean and
        maximum; any other number is chosen by an F-test.
    positions: where they are taken; what follows each, up to the next, is predicted from it. "first-relu"
        (the first activation function), "input", names of layers or modules (what enters them), or "auto:N"
        alone: the first activation and N − 1 more, where they help most.
    """

    features: int = 5
    positions: tuple[str, ...] = ("first-relu",)

    def __post_init__(self) -> None:
        set_whole(self, features="qpp")
        if isinstance(self.positions, str):
            raise SchemeError(f"at={self.positions}: positions are a tuple of names: ({self.positions!r},)")
        object.__setattr__(self, "positions", tuple(self.positions))
        if not 1 <= self.features <= 49:
            raise SchemeError(f"qpp={self.features}: the number of features is 1 to 49")
        if not self.positions or not all(self.positions):
            raise SchemeError('at= names no position; write e.g. "first-relu", "input" or "auto:4"')
        autos = [position for position in self.positions if position.partition(":")[0] == "auto"]
        if autos and (self.automatic is None or self.automatic < 1 or len(self.positions) > 1):
            raise SchemeError(
                f"at={','.join(self.positions)}: write auto:N, with N at least 1, and nothing else"
            )

    @property
    def automatic(self) -> int | None:
        """The N of "auto:N"; None where positions are named."""
        word, colon, count = self.positions[0].partition(":")
        return int(count) if word == "auto" and colon and count.isdecimal() else None


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

    bits: of the residual's weights and codes. period: T, in frames.
    recurrent: the difference is taken from the frame before, not from the keyframe.
    adaptive: each spatial location takes the least of 0, 4 and 8 bits (none above the residual's own) that
        holds its codes without clipping. tolerance: τ, how many steps of clipping that choice allows.
    quantized_reference: the keyframe the difference is taken from is the quantized one, so that the residual
        repairs its error too.
    """

    bits: Bits = field(default_factory=lambda: Bits(4, 4))
    period: int = 3
    recurrent: bool = False
    adaptive: bool = False
    tolerance: int = 0
    quantized_reference: bool = True

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
