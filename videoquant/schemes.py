"""A scheme is a value: bit-widths and three independent axes — ranges, representation, time.

Pure configuration. `Scheme.parse` reads the one-line text (scheme_text.py has its grammar), `str(scheme)`
writes it, `to_dict` and `from_dict` are the JSON form.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from videoquant.errors import SchemeError
from videoquant.quantizers.ranges import ESTIMATORS, MSE, Estimator
from videoquant.quantizers.weights import Granularity

FLOAT = 32  # the bit-width that means "left in floating point"
VERSION = 1


@dataclass(frozen=True)
class Bits:
    """Bit-widths of weights and activations, each 2 to 8, or 32 for floating point."""

    weights: int = 8
    activations: int = 8

    def __post_init__(self) -> None:
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
    """Ranges are predicted from `features` numbers of the network's early activations (QPP)."""

    features: int = 5

    def __post_init__(self) -> None:
        if self.features < 1:
            raise SchemeError(f"qpp with {self.features} features: at least 1 is needed")


@dataclass(frozen=True)
class Uniform:
    """Codes are clipped and rounded values."""


@dataclass(frozen=True)
class DenseSparse:
    """A low-bit dense part, and the largest values (the share `density`) kept in floating point (D+S)."""

    density: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.density <= 0.5:
            raise SchemeError(f"ds={self.density:.6g}: the density must be above 0 and at most 50%")


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
class Policy:
    """A policy network picks each frame's bit-width (VideoIQ)."""


@dataclass(frozen=True)
class Scheme:
    """How a network is quantized. All fields have defaults: `Scheme()` is w8a8, static, frame by frame.

    bits: of every frame, or of the keyframes where `time` is Residual.
    ranges: where activation ranges come from; estimator: how one is measured (default: least squared error).
    representation: what codes are. time: what is quantized in each frame.
    weights: "per-channel" and "per-tensor" are symmetric, "asymmetric" is min–max per tensor (QPP A.3).
    head, tail: the first and the last layers have at least so many bits: 8 by default, 32 leaves them in
        floating point, 2 treats them as every other layer.

    Raises `SchemeError` for values out of range and for combinations that mean nothing.
    """

    bits: Bits = field(default_factory=Bits)
    ranges: Static | Dynamic | Predicted = field(default_factory=Static)
    representation: Uniform | DenseSparse = field(default_factory=Uniform)
    time: Frame | Residual | Policy = field(default_factory=Frame)
    estimator: Estimator = field(default_factory=MSE)
    weights: Granularity = "per-channel"
    head: int = 8
    tail: int = 8

    def __post_init__(self) -> None:
        if self.weights not in ("per-channel", "per-tensor", "asymmetric"):
            raise SchemeError(f"weights={self.weights!r}: it must be per-channel, per-tensor or asymmetric")
        for name, bits in (("head", self.head), ("tail", self.tail)):
            if bits != FLOAT and not 2 <= bits <= 8:
                raise SchemeError(f"{name}={bits}: bit-widths are 2 to 8, or 32 (fp) for floating point")

    @classmethod
    def parse(cls, text: str) -> Scheme:
        """Read the one-line form, e.g. "w8a8->w4a4 T=3"; words in any order. Raises `SchemeError`."""
        from videoquant.scheme_text import parse

        return parse(text)

    def __str__(self) -> str:
        from videoquant.scheme_text import write

        return write(self)

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized."""
        residual = self.time.bits if isinstance(self.time, Residual) else self.bits
        return self.bits == residual == Bits(FLOAT, FLOAT)

    @property
    def period(self) -> int:
        """Frames from one keyframe to the next; 1 where every frame is quantized by itself."""
        return self.time.period if isinstance(self.time, Residual) else 1

    def check_built(self) -> None:
        """Raise `SchemeError` for an axis that this version cannot run."""
        for value, word, instead in (
            (self.ranges, "qpp (predicted ranges)", "static or dynamic"),
            (self.representation, "ds (Dense + Sparse)", "the uniform grid"),
            (self.time, "policy (VideoIQ)", "frame or residual quantization"),
        ):
            if isinstance(value, Predicted | DenseSparse | Policy):
                raise SchemeError(f"{self}: {word} is not built yet; use {instead}")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` reads it back to an equal scheme."""
        axes = {}
        for name in ("ranges", "representation", "time", "estimator"):
            value = getattr(self, name)
            axes[name] = {"kind": type(value).__name__, **asdict(value)}
        return {"version": VERSION, "bits": asdict(self.bits), **axes} | {
            "weights": self.weights,
            "head": self.head,
            "tail": self.tail,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scheme:
        """Read what `to_dict` wrote. Raises `SchemeError` for another version or unknown keys."""
        if data.get("version") != VERSION:
            raise SchemeError(f"scheme of version {data.get('version')!r}; this release reads {VERSION}")
        kinds = {
            kind.__name__: kind
            for kind in (
                Static,
                Dynamic,
                Predicted,
                Uniform,
                DenseSparse,
                Frame,
                Residual,
                Policy,
                *ESTIMATORS,
            )
        }
        try:
            fields: dict[str, Any] = {key: data[key] for key in ("weights", "head", "tail")}
            fields["bits"] = Bits(**data["bits"])
            for name in ("ranges", "representation", "time", "estimator"):
                values = dict(data[name])
                kind = kinds[values.pop("kind")]
                if "bits" in values:
                    values["bits"] = Bits(**values["bits"])
                fields[name] = kind(**values)
        except (KeyError, TypeError) as error:
            raise SchemeError(f"not a scheme: {error}") from None
        return cls(**fields)
