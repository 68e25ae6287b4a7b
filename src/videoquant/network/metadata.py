"""What exporters write beside a network: its size. `Network.metadata` holds the file's texts.

Ultralytics writes `imgsz` ("[640, 640]", height first), and what `box_layout.of_ultralytics` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def image_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) of the input that a network was exported for, from `imgsz`, or None."""
    numbers = [int(number) for number in re.findall(r"\d{1,5}", metadata.get("imgsz", ""))]
    if not 1 <= len(numbers) <= 2 or min(numbers) < 1:
        return None
    return numbers[0], numbers[-1]
