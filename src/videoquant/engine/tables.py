"""The plan's slots and grids, as lowering collects them: asked for by what they hold, and made once."""

from __future__ import annotations

from typing import Any, Literal

from videoquant.ranges.grid import Grid
from videoquant.runtime.sizes import Size


class Slots:
    """The tensors of a plan: float32 values, u8 codes, sparse parts. Slot 0 is the network's input."""

    def __init__(self, input: str, size: Size) -> None:
        self.entries: list[dict[str, Any]] = []
        self._found: dict[tuple[str, str], int] = {}
        self.get("value", input, size)

    def get(
        self,
        role: str,
        name: str,
        size: Size,
        type: Literal["f32", "u8", "sparse"] = "f32",
        keep: bool = False,
    ) -> int:
        """The slot of this role ("value", "codes", "reference", …) for what has this name.

        keep: it is state, which lives from frame to frame.
        """
        if (role, name) not in self._found:
            self._found[role, name] = len(self.entries)
            height, width, channels = size
            label = name if role in ("value", "codes") else f"{name} {role}"
            self.entries.append(
                {"h": height, "w": width, "c": channels, "type": type, "keep": keep, "name": label}
            )
        return self._found[role, name]


class Grids:
    """The grids of a plan. Signed ones, of residuals, become unsigned by 128."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._found: dict[str, int] = {}

    def get(self, name: str, grid: Grid) -> int:
        """The grid of this name; `grid` is what it is until a frame's ranges replace it."""
        if name not in self._found:
            self._found[name] = len(self.entries)
            self.entries.append(unsigned(grid) | {"name": name})
        return self._found[name]


def unsigned(grid: Grid) -> dict[str, Any]:
    """A grid as the engine has it: codes 0 to 255, so those of a signed grid plus 128."""
    shift = 128 if grid.low < 0 else 0
    return {
        "scale": grid.scale,
        "zero": grid.zero_point + shift,
        "low": grid.low + shift,
        "high": grid.high + shift,
    }
