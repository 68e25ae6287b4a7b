"""The int8 engine's native part (native/python/module.cpp); `videoquant.engine` is its user."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

def isas() -> list[str]: ...
def operators() -> list[str]: ...
def ceiling(threads: int, seconds: float) -> float: ...
def resize_rgb(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]: ...
def resize_plane(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]: ...
def scale_rgb(
    pixels: NDArray[np.uint8],
    gain: tuple[float, float, float],
    offset: tuple[float, float, float],
    reverse: bool,
) -> NDArray[np.float32]: ...
def quantize_steps(
    value: int,
    count: int,
    inverse: float,
    first: float,
    last: float,
    scale: float,
    steps: int,
    reference: int,
    next: int,
    threads: int,
    isa: str = "",
) -> bool: ...
def scale_sums(
    sums: int,
    rows: int,
    columns: int,
    channels: int,
    by_row: bool,
    scale: int,
    bias: int,
    before: int,
    threads: int,
    isa: str = "",
) -> None: ...
def levels(values: NDArray[np.float32], gain: list[float], offset: list[float]) -> NDArray[np.uint8]: ...

class GateState:
    @property
    def bytes(self) -> int: ...

class Gate:
    def __init__(
        self,
        trigger: float,
        floor: int,
        margin: int,
        memory: int,
        rest: int,
        refresh: int,
        block: int,
        height: int,
        width: int,
        channels: int,
        isa: str = "",
    ) -> None: ...
    def first(self) -> GateState: ...
    def step(
        self, state: GateState, picture: NDArray[np.uint8]
    ) -> tuple[NDArray[np.bool_], bool, bool, GateState]: ...

class Plan:
    def __init__(
        self,
        spec: dict[str, Any],
        check: Callable[[float], None] | None = None,
    ) -> None: ...

class Session:
    def __init__(
        self,
        plan: Plan,
        isa: str = "",
        threads: int = 1,
        mode: str = "frame",
        check: Callable[[float], None] | None = None,
    ) -> None: ...
    def run(
        self,
        program: str,
        input: NDArray[np.float32],
        measure: Callable[[int, NDArray[np.float32]], tuple[float, int, int, int]] | None = None,
        first: int = 0,
        last: int = -1,
    ) -> None: ...
    def finite(self, input: NDArray[np.float32]) -> bool: ...
    def slot(self, index: int) -> NDArray[Any]: ...
    def sparse(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]: ...
    def moved(self, index: int) -> NDArray[np.uint16] | None: ...
    def always_follow(self) -> None: ...
    def joined(self, program: str) -> list[int]: ...
    def refresh(self) -> None: ...
    def forget(self) -> None: ...
    def look(self, blocks: NDArray[np.uint8], block: int, grow: int, whole: bool, moving: bool) -> None: ...
    def take_picture(
        self, picture: NDArray[np.uint8], gain: Sequence[float], offset: Sequence[float]
    ) -> None: ...
    def layers(self, program: str = "key") -> list[tuple[str, int, int, str]]: ...
    @property
    def work(self) -> tuple[int, int]: ...
    @property
    def memory_bytes(self) -> int: ...
