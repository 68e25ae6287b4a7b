"""The one-line text of a scheme. Long because every word is told, read and written here.

Words are separated by spaces, in any order, in either case:

w8a8              bit-widths of weights and activations, 2 to 8, or 32 for floating point
fp32              the same as w32a32: nothing is quantized
w8a8->w4a4        keyframes, then residual frames
T=3               frames from keyframe to keyframe (default 3); alone, the residual has the keyframe's bits
recurrent         residuals against the frame before
adaptive, tau=N   0, 4 or 8 bits per location, with a tolerance of N steps
float-reference   residuals against the unquantized keyframe
always-residual   no quantizer takes the frame's own codes on residual frames, where those are better
static, dynamic, qpp[=FEATURES]           where activation ranges come from (default static): `ranges/sources`
at=auto:12        where qpp looks: auto:N (default 12), first-relu, input, or layers by name: at=conv1,conv5;
                  a name that would be read otherwise stands in quotes, as in JSON: at=conv1,"head, left"
mse, by-width, minmax, aciq, lp=P, quantile[=ALPHA]
                  how a range is measured: `ranges/estimators` (default: as mse, by-layers above 6 bits)
pool=mean, pool=halfway, pool=largest, pool=by-layers, pool=together
                  how the ranges of samples become one (by-width: halfway above 6 bits; all others: mean)
no-bias-correction   leave biases as they are
equalize          channels before depthwise convolutions come closer to one range
by-outputs        the default, by-width and equalize are tried, and what the outputs gain by is taken
ds=1%             Dense + Sparse with that density
per-channel, per-tensor, asymmetric       the weights' grids (default per-channel)
regions           only what changes is computed anew, by a rule of trigger=, floor=, margin=, memory=,
                  rest=, refresh=, grow= and block= (defaults: `axes.Regions`)
keep-float=NAME,… quantize=NAME,…
                  layers, or modules of them, that stay in floating point, or do not though by default they do
head=8, tail=fp   least bit-width of the first and last layers (default 8; fp leaves them in floating point)

Or the name of a preset (presets.py), then words that replace its own: "qpp-resnet-imagenet dynamic".
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields as fields_of
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from videoquant.axes import FLOAT, Bits, DenseSparse, Regions, Residual
from videoquant.errors import SchemeError
from videoquant.presets import CONVENTIONS, PRESETS, Convention
from videoquant.ranges.estimators import ESTIMATORS, Pooling
from videoquant.ranges.sources import RANGES, Predicted

# Words that stand alone: the field they set, and its value.
_PLAIN: dict[str, tuple[str, Any]] = {
    **{kind.word: ("ranges", kind()) for kind in RANGES},
    **{kind.word: ("estimator", kind()) for kind in ESTIMATORS},
    "per-channel": ("weights", "per-channel"),
    "per-tensor": ("weights", "per-tensor"),
    "asymmetric": ("weights", "asymmetric"),
    "recurrent": ("recurrent", True),
    "adaptive": ("adaptive", True),
    "float-reference": ("quantized_reference", False),
    "always-residual": ("frame_codes", False),
    "regions": ("regions", True),
    "bias-correction": ("bias_correction", True),
    "no-bias-correction": ("bias_correction", False),
    "equalize": ("equalize", True),
    "by-outputs": ("by_outputs", True),
    **{f"pool={word}": ("pooling", word) for word in get_args(Pooling)},
}
_QUOTED = r'"(?:[^"\\]|\\.)*"'  # the name of a layer, in which nothing separates words, names or schemes
_RESIDUAL = ("period", "recurrent", "adaptive", "tolerance", "quantized_reference", "frame_codes")
_LAYERS = {"keep-float": "keep_float", "quantize": "quantize"}  # words that name layers
_REGIONS = {rule.name: rule.default for rule in fields_of(Regions)}


def parse(text: str, convention: str = "default") -> dict[str, Any]:
    """The fields of `Scheme` that a text sets; see `Scheme.parse`."""
    if convention not in CONVENTIONS:
        *most, last = CONVENTIONS
        raise SchemeError(f"convention {convention!r}: it must be {', '.join(most)} or {last}")
    words = [word for word in _cut(r"\s+", "->".join(_cut(r"\s*(?:->|→)\s*", text))) if word]
    preset = PRESETS.get(words[0].lower()) if words else None
    if preset is None:
        found = _fields(words, text)
    else:
        found, changed = _fields(preset.split(), preset), _fields(words[1:], text)
        if "ranges" in changed:
            found.pop("positions", None)
        found |= changed
    if found.get("estimator") == ESTIMATORS[0]():  # named, it is what it was before it was pooled by layers
        found.setdefault("pooling", "mean")
    if "bits" not in found:
        raise SchemeError(f"{text!r} names no bit-widths; begin with e.g. w8a8, w8a8->w4a4 or fp32")
    found = _by_convention(found, CONVENTIONS[convention])
    key, residual_bits = found.pop("bits")
    residual = {name: found.pop(name) for name in _RESIDUAL if name in found}
    if "positions" in found:
        positions = found.pop("positions")
        if not isinstance(found.get("ranges"), Predicted):
            raise SchemeError(f"{text!r}: at= says where qpp looks; it needs the word qpp")
        found["ranges"] = Predicted(found["ranges"].features, positions)
    rule = {name: found.pop(name) for name in _REGIONS if name in found}
    if "regions" in found:
        found["regions"] = Regions(**rule)
    elif rule:
        raise SchemeError(
            f"{text!r}: {next(iter(rule))}= is of the rule of regions; it needs the word regions"
        )
    if residual or residual_bits is not None:
        found["time"] = Residual(residual_bits or key, **residual)
    return {"bits": key, **found}


def _by_convention(found: dict[str, Any], convention: Convention) -> dict[str, Any]:
    """The fields that words set, and those that a convention sets beside."""
    key, residual_bits = found["bits"]
    if key == (residual_bits or key) == Bits(FLOAT, FLOAT):
        return found
    defaults = _fields(convention.every.split(), convention.every)
    if residual_bits is not None or any(name in found for name in _RESIDUAL):
        defaults |= _fields(convention.residual.split(), convention.residual)
    if convention.qpp and found.get("ranges") == Predicted() and "positions" not in found:
        found = found | _fields(convention.qpp.split(), convention.qpp)
    return defaults | found


def split_schemes(text: str) -> list[str]:
    """The schemes of a text that has ";" between them, as they stand there; empty ones are left out."""
    return [part.strip() for part in _cut(";", text) if part.strip()]


def _cut(separator: str, text: str) -> list[str]:
    """The parts of a text between what matches a pattern without groups; in quotes nothing separates."""
    parts, start = [], 0
    for match in re.finditer(f"{_QUOTED}|({separator})", text, re.DOTALL):
        if match[1] is not None:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _fields(words: Iterable[str], text: str) -> dict[str, Any]:
    """What each word sets; no two may set the same."""
    found: dict[str, Any] = {}
    for word in words:
        field, value = _read(word, text)
        if field in found:
            raise SchemeError(f"{text!r}: {word!r} says a second time what another word has said")
        found[field] = value
    return found


def write(fields: Mapping[str, Any]) -> str:
    """The canonical text of a `Scheme`'s fields: what differs from the defaults; `parse` reads it back."""
    bits, time, ranges = fields["bits"], fields["time"], fields["ranges"]
    representation, estimator = fields["representation"], fields["estimator"]
    words = [str(bits)]
    if isinstance(time, Residual):
        words = [f"{bits}->{time.bits}", f"T={time.period}"]
        words += ["recurrent"] * time.recurrent + ["adaptive"] * time.adaptive
        words += [f"tau={time.tolerance}"] if time.tolerance else []
        words += [] if time.quantized_reference else ["float-reference"]
        words += [] if time.frame_codes else ["always-residual"]
    if ranges != RANGES[0]():
        words.append(str(ranges))
    if isinstance(ranges, Predicted) and ranges.positions != Predicted().positions:
        words.append(f"at={','.join(map(_named, ranges.positions))}")
    if isinstance(representation, DenseSparse):
        words.append(f"ds={_percent(representation.density)}")
    if estimator != ESTIMATORS[0]():
        words.append(str(estimator))
    if fields["pooling"] is not None:
        words.append(f"pool={fields['pooling']}")
    if not fields["bias_correction"]:
        words.append("no-bias-correction")
    if fields["equalize"]:
        words.append("equalize")
    words += ["by-outputs"] * fields["by_outputs"]
    if fields["weights"] != "per-channel":
        words.append(fields["weights"])
    for edge in ("head", "tail"):
        if fields[edge] != 8:
            words.append(f"{edge}={'fp' if fields[edge] == FLOAT else fields[edge]}")
    for key, field in _LAYERS.items():
        if fields[field]:
            words.append(f"{key}={','.join(map(_named, fields[field]))}")
    if fields["regions"] is not None:
        words.append(write_rule(fields["regions"]))
    return " ".join(words)


def write_rule(regions: Regions) -> str:
    """The words of a scheme that say its rule of regions, e.g. "regions floor=24"; `read_rule` reads them."""
    given = {name: getattr(regions, name) for name in _REGIONS}
    changed = [f"{name}={_number(value)}" for name, value in given.items() if value != _REGIONS[name]]
    return " ".join(["regions", *changed])


def read_rule(text: str) -> Regions:
    """The rule of regions of such words. Raises `SchemeError` for others."""
    found = parse(f"{Bits()} {text}")
    rule = found.pop("regions", None)
    if rule is None or found != {"bits": Bits()}:
        raise SchemeError(f"{text!r}: of a scheme's words only regions and its rule may stand here")
    return rule  # type: ignore[no-any-return]


def _read(word: str, text: str) -> tuple[str, Any]:
    """The field a word sets, and its value. Only names of layers are told apart by case."""
    if word.lower().startswith("at="):
        return "positions", tuple(_position(name, text) for name in _cut(",", word[3:]))
    key, _, names = word.partition("=")
    if key.lower() in _LAYERS and names:
        return _LAYERS[key.lower()], tuple(_position(name, text) for name in _cut(",", names))
    word = word.lower()
    if word in _PLAIN:
        return _PLAIN[word]
    if re.match(r"fp|w\d", word):
        first, arrow, second = word.partition("->")
        return "bits", (_bits(first, text), _bits(second, text) if arrow else None)
    if word == "policy":
        raise SchemeError(
            f"{text!r}: a policy (VideoIQ) chooses among several quantized networks and is no scheme of one; "
            "see videoquant.training.policy and docs/training.md"
        )
    key, equals, value = word.partition("=")
    if equals and key in _VALUED:
        field, read = _VALUED[key]
        try:
            return field, read(value)
        except SchemeError:
            raise
        except ValueError:
            raise SchemeError(f"{text!r}: {word!r} holds no {_EXPECTED[key]}") from None
    known = [
        *_PLAIN,
        *(f"{key}=" for key in _VALUED),
        *(f"{key}=" for key in _LAYERS),
        "at=",
        "fp32",
        "w8a8",
        "w8a8->w4a4",
        *PRESETS,
    ]
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.4) or known
    raise SchemeError(f"{text!r}: unknown word {word!r}; did you mean {', '.join(near)}?")


def _position(name: str, text: str) -> str:
    """A position as at= names it: in quotes a layer's name as it is, else maybe a word in either case."""
    if name.startswith('"'):
        try:
            return str(json.loads(name, strict=False))
        except ValueError:
            raise SchemeError(f"{text!r}: {name} is no name in quotes") from None
    word = name.lower()
    return word if word in ("first-relu", "input") or word.startswith("auto:") else name


def _named(position: str) -> str:
    """A position as `_position` reads it back: in quotes where it would be cut or read otherwise without."""
    plain = position.isprintable() and not re.search(r'[\s,;"]|->|→', position)
    if plain and _position(position, position) == position:
        return position
    return json.dumps(position, ensure_ascii=not position.isprintable())


def _bits(text: str, whole: str) -> Bits:
    if text in ("fp", "fp32"):
        return Bits(FLOAT, FLOAT)
    match = re.fullmatch(r"w(\d+)a(\d+)", text)
    if not match:
        raise SchemeError(f"{whole!r}: {text!r} is no bit-width; write e.g. w8a8, w8a8->w4a4 or fp32")
    return Bits(int(match[1]), int(match[2]))


def _share(text: str) -> float:
    """A share as 1% or 0.01. Percents shift the decimal point, so that 3% is the same number as 0.03."""
    try:
        return float(Decimal(text[:-1]).scaleb(-2)) if text.endswith("%") else float(text)
    except InvalidOperation:
        raise ValueError(text) from None


def _percent(share: float) -> str:
    return f"{Decimal(repr(share)).scaleb(2).normalize():f}%"


def _number(value: float) -> str:
    """A number as it is read back, without the end that whole ones have: 6 for 6.0."""
    return repr(value).removesuffix(".0")


def _edge(text: str) -> int:
    return FLOAT if text in ("fp", "fp32") else int(text)


_VALUED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "t": ("period", int),
    "tau": ("tolerance", int),
    **{kind.word: ("ranges", kind.from_text) for kind in RANGES if kind.expects},
    **{kind.word: ("estimator", kind.from_text) for kind in ESTIMATORS if kind.expects},
    "ds": ("representation", lambda text: DenseSparse(_share(text))),
    "head": ("head", _edge),
    "tail": ("tail", _edge),
    **{name: (name, type(default)) for name, default in _REGIONS.items()},
}
_EXPECTED = {
    "t": "whole number of frames",
    "tau": "whole number of steps",
    **{kind.word: kind.expects for kind in RANGES if kind.expects},
    **{kind.word: kind.expects for kind in ESTIMATORS if kind.expects},
    "ds": "share, e.g. 1%",
    "head": "bit-width (2 to 8, or fp)",
    "tail": "bit-width (2 to 8, or fp)",
    **dict.fromkeys(_REGIONS, "whole number"),
    "trigger": "number",
}
