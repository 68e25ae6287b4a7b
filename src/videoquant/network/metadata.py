"""What exporters write beside a network: size, class names. `Network.metadata` holds the file's texts.

Ultralytics writes `imgsz` ("[640, 640]", height first), `names` ("{0: 'person', 1: 'car'}"), `stride` and
`task` ("detect"); PaddlePaddle writes `character`, a name a line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

MOST_CLASSES = 100_000


def image_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) of the input that a network was exported for, from `imgsz`, or None."""
    numbers = [int(number) for number in re.findall(r"\d{1,5}", metadata.get("imgsz", ""))]
    if not 1 <= len(numbers) <= 2 or min(numbers) < 1:
        return None
    return numbers[0], numbers[-1]


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the classes in order, from `names` or `character`; none where those are no list."""
    text = metadata.get("names", "").strip()
    if not text:
        return tuple(metadata.get("character", "").split("\n")) if metadata.get("character") else ()
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return tuple(part.strip() for part in text.split(","))
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        last = max(names, default=-1)
        if not (min(names, default=0) >= 0 and last < MOST_CLASSES):
            return ()
        return tuple(str(names.get(index, index)) for index in range(last + 1))
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()
