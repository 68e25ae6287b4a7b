"""One value of the network for every calibration frame: in memory up to a budget, beyond it in a file.

Calibration learns a quantizer from all frames before it goes on, so that a value of every frame waits at
once: of an early layer that is gigabytes. What layers read waits as 8-bit codes. What is left beyond
`IN_MEMORY` bytes is written to unnamed files in the folder for temporary files, which go with the process.
Tensors come back with the same bits in the same order in memory.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO
from weakref import WeakSet

import torch
from torch import Tensor

from videoquant.ranges.grid import Grid
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented

IN_MEMORY = 512 << 20  # bytes, of all values of a walk together


class Shelf:
    """Where the samples of one walk lie. budget: how many bytes of them may stay in memory."""

    def __init__(self, budget: int = IN_MEMORY) -> None:
        self.budget = budget
        self._live: WeakSet[Samples] = WeakSet()
        self._writable = True

    def samples(self) -> Samples:
        """No samples yet."""
        fresh = Samples(self)
        self._live.add(fresh)
        return fresh

    def has_room(self, size: int) -> bool:
        """Whether `size` more bytes are to stay in memory: within the budget, or where no file can be had."""
        return not self._writable or size + sum(samples.bytes for samples in self._live) <= self.budget

    def give_up_files(self) -> None:
        """Keep everything in memory from here on: the folder for temporary files is full or read-only."""
        self._writable = False


@dataclass(frozen=True)
class _Written:
    """A tensor in a file: where its storage begins, and how the tensor lies in it."""

    start: int
    elements: int
    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]
    offset: int


class Samples:
    """The tensors of one value, in the order in which they were appended. Made by `Shelf.samples`.

    bytes: what it holds in memory.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.bytes = 0
        self._shelf = shelf
        self._kept: list[Tensor | _Written | None] = []
        self._file: IO[bytes] | None = None

    def append(self, x: Tensor) -> None:
        """Keep one more. It must not be changed afterwards."""
        written = None if self._shelf.has_room(x.untyped_storage().nbytes()) else self._write(x)
        if written is None:
            self.hold(x)
        else:
            self._kept.append(written)

    def hold(self, x: Tensor) -> None:
        """Keep one more, in memory: it is there for somebody else as well."""
        self._kept.append(x)
        self.bytes += x.untyped_storage().nbytes()

    def __getitem__(self, index: int) -> Tensor:
        """A sample, not to be changed in place."""
        kept = self._kept[index]
        assert kept is not None, "this sample was taken"
        return kept if isinstance(kept, Tensor) else self._read(kept)

    def take(self, index: int) -> Tensor:
        """A sample that nobody reads again."""
        x = self[index]
        if isinstance(self._kept[index], Tensor):
            self.bytes -= x.untyped_storage().nbytes()
        self._kept[index] = None
        return x

    def _write(self, x: Tensor) -> _Written | None:
        storage = _storage(x)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with these samples
            start = self._file.seek(0, 2)
            self._file.write(storage.numpy().data)
        except OSError:
            self._shelf.give_up_files()
            return None
        return _Written(start, len(storage), x.dtype, x.size(), x.stride(), int(x.storage_offset()))

    def _read(self, written: _Written) -> Tensor:
        assert self._file is not None
        storage = torch.empty(written.elements, dtype=written.dtype, device="cpu")
        self._file.seek(written.start)
        self._file.readinto(storage.numpy().data)  # type: ignore[attr-defined]
        return storage.as_strided(written.size, written.stride, written.offset)


def give_back_freed() -> None:
    """Let the system have the memory that short-lived tensors left free between samples (glibc only)."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _storage(x: Tensor) -> Tensor:
    """All of the memory that a tensor is a view of, so that it comes back as it was."""
    return x.detach().as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)


class Codes:
    """What layers read of one value, sample by sample, as 8-bit codes where a grid has quantized it."""

    def __init__(self, shelf: Shelf) -> None:
        self._dense, self._sparse = shelf.samples(), shelf.samples()
        self._grids: list[Grid | None] = []
        self._sparse_of: dict[int, int] = {}

    def append(self, x: Represented) -> None:
        """Keep one more."""
        if isinstance(x, Tensor):
            self._grids.append(None)
            self._dense.append(x)
            return
        if x.sparse is not None:
            self._sparse_of[len(self._grids)] = len(self._sparse_of)
            self._sparse.append(x.sparse.half())  # its values have 16 bits
        self._grids.append(x.grid)
        self._dense.append((x.steps + _first(x.grid)).to(torch.uint8))

    def __getitem__(self, index: int) -> Represented:
        return self._represented(index, self._dense.__getitem__, self._sparse.__getitem__)

    def take(self, index: int) -> Represented:
        """A sample that nobody reads again."""
        return self._represented(index, self._dense.take, self._sparse.take)

    def _represented(
        self, index: int, dense: Callable[[int], Tensor], sparse: Callable[[int], Tensor]
    ) -> Represented:
        grid = self._grids[index]
        if grid is None:
            return dense(index)
        at = self._sparse_of.get(index)
        steps = dense(index).float().sub_(_first(grid))
        return QuantizedTensor(steps, grid, None if at is None else sparse(at).float())


def _first(grid: Grid) -> int:
    """What turns steps from the zero point into steps from the first code."""
    return grid.zero_point - grid.low
