"""The plan's slots and grids as lowering collects them: the same one for whoever asks by the same name."""

from __future__ import annotations

from typing import Literal

from videoquant.ranges.grid import Grid
from videoquant.runtime.program import CodeGrid, Slot
from videoquant.runtime.ranges import unsigned
from videoquant.runtime.sizes import Size


class Slots:
    """The tensors of a plan: float32 values, u8 codes, sparse parts. Slot 0 is the network's input.

    entries: those asked for so far, by index.
    """

    def __init__(self, input: str, size: Size) -> None:
        self.entries: list[Slot] = []
        self._found: dict[tuple[str, str], int] = {}
        self.get("value", input, size)

    def get(
        self,
        role: str,
        name: str,
        size: Size,
        type: Literal["f32", "u8", "sparse"] = "f32",
        keep: bool = False,
        residual: bool = False,
    ) -> int:
        """The slot of this role ("value", "codes", "reference", …) for what has this name.

        keep: it is state, which lives from frame to frame. residual: it holds a residual.
        """
        if (role, name) not in self._found:
            self._found[role, name] = len(self.entries)
            role_of_kind = role.removeprefix("residual ").removeprefix("frame ")
            label = name if role_of_kind in ("value", "codes") else f"{name} {role_of_kind}"
            label = frame_label(name) if role == "frame codes" else label
            self.entries.append(Slot(label, *size, type, keep, residual))
        return self._found[role, name]


def frame_label(point: str) -> str:
    """What the codes are called that a residual frame has of its own at a point, beside its keyframe's."""
    return f"{point} of the frame"


class Grids:
    """The grids of a plan. entries: those asked for so far, by index."""

    def __init__(self) -> None:
        self.entries: list[CodeGrid] = []
        self._found: dict[str, int] = {}

    def get(self, name: str, grid: Grid) -> int:
        """The grid of this name; `grid` is what it is until a range update replaces it."""
        if name not in self._found:
            self._found[name] = len(self.entries)
            self.entries.append(CodeGrid(name, *unsigned(grid)))
        return self._found[name]
