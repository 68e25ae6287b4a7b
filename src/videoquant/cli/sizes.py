"""Sizes as text, height first as everywhere: "360x480"."""

from __future__ import annotations

import re

from videoquant.errors import DataError


def parse_size(text: str, option: str) -> tuple[int, int]:
    """ "360x480" → (360, 480). Raises `DataError` that names the option for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text.strip().lower())
    if not match:
        raise DataError(f"{option} {text}: give height and width in pixels, e.g. 360x480")
    return int(match[1]), int(match[2])
