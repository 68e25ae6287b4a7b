"""JSON files of results: how all of them are written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from videoquant.files import atomic_write


def write_json(value: Any, path: str | Path) -> None:
    """Write what `plain` makes of a value as UTF-8, whole or not at all. Raises `OutputError`."""
    text = json_text(value)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def json_text(value: Any) -> str:
    """What `plain` makes of a value as JSON."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """The same in the types of JSON: NumPy's numbers are unwrapped, what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
