"""Chips as TOML files: those that ship with the package, by name, and a user's own."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from videoquant.costs.chip import Chip, Energy, Precision, precision_text
from videoquant.errors import ChipError, refused_as
from videoquant.files import atomic_write, check_file, reason
from videoquant.limits import check_size

FOLDER = "chips"
NUMBERS = ("buffer_kb", "bandwidth_gb_s", "overhead_us")
KEYS = ("name", "source", "array", *NUMBERS, "gmacs_per_second")
OPTIONAL = ("sparse_cost", "energy")
# Of any number, in the file's units: far outside of what chips have, far inside of what sums of it can hold.
LEAST, MOST = 1e-18, 1e18
TEXT_BYTES = 100  # of memory, at most, for a byte of TOML
ENERGY_KEYS = ("pj_per_byte", "pj_per_buffer_byte", "pj_per_mac")


def chip_names() -> tuple[str, ...]:
    """The chips that ship with the package."""
    folder = resources.files("videoquant.costs") / FOLDER
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))


def open_chip(name: str) -> Chip:
    """A chip that ships, by name, or that of a TOML file. Raises `ChipError`."""
    if name in chip_names():
        file = resources.files("videoquant.costs") / FOLDER / f"{name}.toml"
        return parse_chip(file.read_text(encoding="utf-8"), name)
    path = Path(name)
    if not os.path.exists(path):
        near = get_close_matches(name.lower(), chip_names(), cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"chips by name are {', '.join(chip_names())}"
        raise ChipError(f"{name}: no such chip file, and no chip of this name; {hint}")
    check_file(path, ChipError)
    try:
        check_size(path.stat().st_size * TEXT_BYTES, name, ChipError)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChipError(f"{name}: cannot be read: {reason(error)}") from None
    return parse_chip(text, name)


def parse_chip(text: str, where: str) -> Chip:
    """Read a chip from TOML. where: what errors call it. Raises `ChipError` for what is missing or wrong."""
    with refused_as(ChipError, f"{where}: not TOML"):
        data = tomllib.loads(text)
    _check_keys(data, KEYS, OPTIONAL, where)
    for key in ("name", "source"):
        if not isinstance(data[key], str):
            raise ChipError(f"{where}: {key} must be a text")
    array = data["array"]
    if not (
        isinstance(array, list) and len(array) == 2 and all(type(n) is int and 0 < n < 2**31 for n in array)
    ):
        raise ChipError(f"{where}: array is {_shown(array)}; it must be [input channels, output channels]")
    numbers = {key: _number(data, key, where) for key in NUMBERS}
    for key in ("buffer_kb", "bandwidth_gb_s"):  # in the file's units, not in the chip's
        if not numbers[key] > 0:
            raise ChipError(f"{where}: {key} is {numbers[key]:g}; it must be above 0")
    try:
        return Chip(
            data["name"],
            data["source"],
            _by_precision(data, "gmacs_per_second", 1e9, where),
            (array[0], array[1]),
            numbers["buffer_kb"] * 1e3,
            numbers["bandwidth_gb_s"] * 1e9,
            numbers["overhead_us"] / 1e6,
            _number(data, "sparse_cost", where) if "sparse_cost" in data else 1.0,
            _energy(data["energy"], f"{where}: energy") if "energy" in data else None,
        )
    except ChipError as error:
        raise ChipError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None


def write_chip(chip: Chip, path: str | Path, comment: str = "") -> None:
    """Write a chip as TOML, led by a comment. Raises `OutputError` where the file cannot be written."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"name = {_quoted(chip.name)}", f"source = {_quoted(chip.source)}"]
    lines += [f"array = {list(chip.array)}", f"buffer_kb = {_text(chip.buffer / 1e3)}"]
    lines += [
        f"bandwidth_gb_s = {_text(chip.bandwidth / 1e9)}",
        f"overhead_us = {_text(chip.overhead * 1e6)}",
    ]
    if chip.sparse_cost != 1:
        lines.append(f"sparse_cost = {_text(chip.sparse_cost)}")
    lines += ["", "[gmacs_per_second]", *_entries(chip.peak, 1e9)]
    if chip.energy:
        lines += ["", "[energy]", f"pj_per_byte = {_text(chip.energy.byte * 1e12)}"]
        lines += [f"pj_per_buffer_byte = {_text(chip.energy.buffer_byte * 1e12)}"]
        lines += ["", "[energy.pj_per_mac]", *_entries(chip.energy.mac, 1e-12)]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _energy(data: Any, where: str) -> Energy:
    if not isinstance(data, dict):
        raise ChipError(f"{where} must be a table")
    _check_keys(data, ENERGY_KEYS, (), where)
    byte, buffer_byte = (_number(data, key, where) * 1e-12 for key in ENERGY_KEYS[:2])
    return Energy(_by_precision(data, "pj_per_mac", 1e-12, where), byte, buffer_byte)


def _by_precision(data: Mapping[str, Any], key: str, unit: float, where: str) -> dict[Precision, float]:
    table = data[key]
    if not isinstance(table, dict):
        raise ChipError(f'{where}: {key} must be a table such as "w8a8 = 1000"')
    result = {}
    for word in table:
        match = re.fullmatch(r"w(\d{1,2})a(\d{1,2})", word, re.ASCII)
        if not match or not all(1 <= int(bits) <= 32 for bits in match.groups()):
            raise ChipError(
                f"{where}: {key} has {_shown(word)}; precisions are written w8a8, with 1 to 32 bits"
            )
        result[int(match[1]), int(match[2])] = _number(table, word, f"{where}: {key}") * unit
    return result


def _number(data: Mapping[str, Any], key: str, where: str) -> float:
    value = data[key]
    if type(value) not in (int, float) or not abs(value) <= MOST:
        raise ChipError(f"{where}: {key} is {_shown(value)}; it must be a number of at most {MOST:g}")
    if value and abs(value) < LEAST:
        raise ChipError(f"{where}: {key} is {_shown(value)}; it must be 0, or at least {LEAST:g}")
    return float(value)


def _check_keys(
    data: Mapping[str, Any], needed: tuple[str, ...], optional: tuple[str, ...], where: str
) -> None:
    missing = [key for key in needed if key not in data]
    if missing:
        raise ChipError(f"{where}: {missing[0]} is missing")
    unknown = [key for key in data if key not in (*needed, *optional)]
    if unknown:
        known = ", ".join((*needed, *optional))
        raise ChipError(f"{where}: unknown key {_shown(unknown[0])[1:-1]}; known are {known}")


def _shown(value: Any) -> str:
    """A value of the file as messages show it."""
    huge = isinstance(value, int) and abs(value) >= 10**30
    text = "a huge number" if huge else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _entries(values: Mapping[Precision, float], unit: float) -> list[str]:
    return [f"{precision_text(p)} = {_text(value / unit)}" for p, value in values.items()]


def _text(value: float) -> str:
    """Four digits, without an exponent where it is short."""
    return f"{float(f'{value:.4g}'):.10g}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
