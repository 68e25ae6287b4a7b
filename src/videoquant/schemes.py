"""A scheme is a value: bit-widths and three independent axes — ranges, representation, time.

Pure configuration. `Scheme.parse` reads the one-line text (scheme_text.py has its grammar), `str(scheme)`
writes it, `to_dict` and `from_dict` are the JSON form.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from videoquant import scheme_text
from videoquant.axes import (
    FLOAT,
    Bits,
    DenseSparse,
    Frame,
    Granularity,
    Regions,
    Residual,
    Uniform,
    set_whole,
)
from videoquant.errors import SchemeError
from videoquant.ranges.estimators import ESTIMATORS, MSE, Estimator, Pooling, Threshold
from videoquant.ranges.sources import RANGES, RangeAxis, Static
from videoquant.typed_json import fields_of, member, read

# Of the JSON form. In version 1 least squares took the average of samples' ranges where no pooling was said.
VERSION = 2

# What the JSON form of each axis, and of the estimator, calls its "kind": the names of these classes.
_KINDS: dict[str, tuple[type, ...]] = {
    "ranges": RANGES,
    "representation": (Uniform, DenseSparse),
    "time": (Frame, Residual),
    "estimator": ESTIMATORS,
}

# What the JSON form of earlier releases lacks, and what schemes were then.
_ADDED: dict[str, Any] = {
    "pooling": None, "bias_correction": False, "regions": None, "keep_float": (),
    "quantize": (), "equalize": False, "by_outputs": False,
}  # fmt: skip
_ADDED_TO_RESIDUAL: dict[str, Any] = {"frame_codes": False}


@dataclass(frozen=True)
class Scheme:
    """How a network is quantized. All fields have defaults: `Scheme()` is w8a8, static, frame by frame.

    bits: of every frame, or of the keyframes where `time` is Residual.
    ranges: where activation ranges come from.
    estimator: how one is measured (default: least squared error).
    representation: what codes are.
    time: what is quantized in each frame.
    weights: "per-channel" and "per-tensor" are symmetric, "asymmetric" is min–max per tensor (QPP A.3).
    head, tail: the first and the last layers have at least so many bits: 8 by default, 32 leaves them in
        floating point, 2 treats them as every other layer.
    regions: the part of a frame that is computed anew; None for all of it.
    pooling: how the ranges of calibration samples become one: "mean", "halfway" from the mean to the largest,
        "largest", "by-layers", whichever of these the layers that read a value lose least by
        (`calibration.pool_choice`), or "together", one range of all samples' elements; None is the
        estimator's own.
    keep_float: layers, or modules of them, that stay in floating point.
    quantize: layers, or modules of them, that are quantized though by default they are not, see
        `quantizers.placement`.
    bias_correction: whether calibration takes from layers' biases what quantization adds to their outputs on
        average, where that brings the network's outputs closer to floating point; of frame schemes alone.
    equalize: whether calibration brings channels before depthwise convolutions closer to one range, see
        `calibration.equalize`; for weights per channel.
    by_outputs: whether calibration also tries other ranges and equalized channels, and takes what brings the
        network's outputs clearly closer (`calibration.by_outputs`); of static schemes frame by frame. What it
        has taken stands in the scheme of the quantized network, where this is False.

    Raises `SchemeError` for values out of range and for combinations that mean nothing.
    """

    bits: Bits = field(default_factory=Bits)
    ranges: RangeAxis = field(default_factory=Static)
    representation: Uniform | DenseSparse = field(default_factory=Uniform)
    time: Frame | Residual = field(default_factory=Frame)
    estimator: Estimator = field(default_factory=MSE)
    weights: Granularity = "per-channel"
    head: int = 8
    tail: int = 8
    regions: Regions | None = None
    pooling: Pooling | None = None
    bias_correction: bool = True
    keep_float: tuple[str, ...] = ()
    quantize: tuple[str, ...] = ()
    equalize: bool = False
    by_outputs: bool = False

    def __post_init__(self) -> None:
        set_whole(self, head="head", tail="tail")
        if self.weights not in ("per-channel", "per-tensor", "asymmetric"):
            raise SchemeError(f"weights={self.weights!r}: it must be per-channel, per-tensor or asymmetric")
        for name, bits in (("head", self.head), ("tail", self.tail)):
            if bits != FLOAT and not 2 <= bits <= 8:
                raise SchemeError(f"{name}={bits}: bit-widths are 2 to 8, or 32 (fp) for floating point")

        if self.equalize and self.weights != "per-channel":
            raise SchemeError(f"equalize needs weights with a scale per channel; these are {self.weights}")
        if self.equalize and not self.ranges.calibrates:
            raise SchemeError(f"equalize and {self.ranges.word} exclude each other: channels are calibrated")
        if self.by_outputs and not self._leaves_open:
            raise SchemeError(
                "by-outputs chooses how ranges are measured in schemes that are static and frame by frame; "
                "no other word can say it as well"
            )
        both = sorted(set(self.keep_float) & set(self.quantize))
        if both:
            raise SchemeError(f"keep-float= and quantize= both name {both[0]!r}")
        if isinstance(self.representation, DenseSparse) and getattr(self.time, "adaptive", False):
            raise SchemeError(
                "adaptive widths and ds= exclude each other: both decide what large values cost"
            )
        if self.regions is not None and not isinstance(self.ranges, Static):
            raise SchemeError(
                f"regions and {self.ranges.word} exclude each other: what is held stands on the grid it had, "
                "so that ranges must stay"
            )

    @classmethod
    def parse(cls, text: str, convention: str = "default") -> Scheme:
        """Read the one-line form, e.g. "w8a8->w4a4 T=3"; words in any order. Raises `SchemeError`.

        convention: whose words hold where the text says nothing, "resq" or "qpp" (`presets.CONVENTIONS`).
        """
        return cls(**scheme_text.parse(text, convention))

    def __str__(self) -> str:
        return scheme_text.write(vars(self))

    @property
    def _leaves_open(self) -> bool:
        """Whether nothing else says how ranges are measured."""
        return (
            isinstance(self.time, Frame)
            and isinstance(self.ranges, Static)
            and isinstance(self.representation, Uniform)
            and self.estimator == ESTIMATORS[0]()
            and self.pooling is None
            and not self.equalize
        )

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized."""
        residual = self.time.bits if isinstance(self.time, Residual) else self.bits
        return self.bits == residual == Bits(FLOAT, FLOAT)

    @property
    def range_estimator(self) -> Estimator:
        """How an activation's range is measured: `estimator`, or the threshold of Dense + Sparse."""
        if isinstance(self.representation, DenseSparse):
            return Threshold(self.representation.density)
        return self.estimator

    def pooling_of(self, bits: int) -> Pooling:
        """How the ranges of samples become one, of grids of so many bits."""
        return self.pooling or self.range_estimator.pooling(bits)

    @property
    def period(self) -> int:
        """Frames from one keyframe to the next; 1 where every frame is quantized by itself."""
        return self.time.period if isinstance(self.time, Residual) else 1

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` reads it back to an equal scheme."""
        axes = {}
        for name in _KINDS:
            value = getattr(self, name)
            axes[name] = {"kind": type(value).__name__, **asdict(value)}
        return {"version": VERSION, "bits": asdict(self.bits), **axes} | {
            "pooling": self.pooling,
            "bias_correction": self.bias_correction,
            "equalize": self.equalize,
            "by_outputs": self.by_outputs,
            "keep_float": list(self.keep_float),
            "quantize": list(self.quantize),
            "weights": self.weights,
            "head": self.head,
            "tail": self.tail,
            "regions": None if self.regions is None else asdict(self.regions),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scheme:
        """Read what this release or an earlier one wrote; it calibrates as it did then.

        Raises `SchemeError` for what is no scheme of these versions.
        """
        version = data.get("version")
        if version not in range(1, VERSION + 1):
            raise SchemeError(f"scheme of version {version!r}; this release reads 1 to {VERSION}")
        found: dict[str, Any] = {}
        for name, (annotation, _) in fields_of(cls).items():
            if name in _ADDED and name not in data:
                found[name] = _ADDED[name]
                continue
            stored = member(data, name, "scheme", SchemeError)
            if name in _KINDS:
                word = member(stored, "kind", f"scheme: {name}", SchemeError)
                annotation = next((kind for kind in _KINDS[name] if kind.__name__ == word), None)
                if annotation is None:
                    raise SchemeError(f"scheme: {name} is {word!r}, which is unknown")
                stored = {key: value for key, value in stored.items() if key != "kind"}
                if annotation is Residual:
                    stored = _ADDED_TO_RESIDUAL | stored
            found[name] = read(annotation, stored, f"scheme: {name}", SchemeError)
        scheme = cls(**found)
        return replace(scheme, pooling="mean") if version == 1 and scheme._pools_by_default else scheme

    @property
    def _pools_by_default(self) -> bool:
        """Whether least squares finds its ranges and nothing says how samples are pooled."""
        calibrates = self.ranges.calibrates and not self.is_float and not self.by_outputs
        return calibrates and self.pooling is None and self.range_estimator == MSE()
