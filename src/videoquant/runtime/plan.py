"""A plan: a quantized network as the engine runs it, complete. Lowering makes one, a file holds one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from videoquant import _native
from videoquant.errors import NetworkError, VideoQuantError
from videoquant.limits import check_size
from videoquant.network.preprocessing import Preprocessing
from videoquant.runtime.plan_spec import VERSION, plain
from videoquant.runtime.program import CodeGrid, PostprocessNode, Program, ProgramOutput, Slot
from videoquant.schemes import Scheme
from videoquant.tasks.base import Task


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What `lower` makes of a quantized network; `open_stream` runs it.

    name: of the network.
    input_shape: 1×C×H×W.
    preprocessing: how a frame becomes its input.
    scheme: how the network is quantized.
    slots: the tensors of a stream; slot 0 is the input.
    grids: those of the quantization points.
    programs: "key" for keyframes and all frames of frame schemes, and of residual schemes "residual".
    given: the values that the programs give, by name.
    postprocess: the nodes that run on those values, in order.
    outputs: the network's outputs: name → value, of `given` or of `postprocess`.
    task: what the outputs mean; None where that is unknown, as in files of version 1.
    """

    name: str
    input_shape: tuple[int, ...]
    preprocessing: Preprocessing
    scheme: Scheme
    slots: tuple[Slot, ...]
    grids: tuple[CodeGrid, ...]
    programs: Mapping[str, Program]
    given: Mapping[str, ProgramOutput]
    postprocess: tuple[PostprocessNode, ...]
    outputs: Mapping[str, str]
    task: Task | None = None

    def __repr__(self) -> str:
        count = sum(len(program.ops) for program in self.programs.values())
        return f"<{type(self).__name__} of {self.name}, {self.scheme}: {count} operators>"

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the native engine needs of the plan, in plain dicts, lists and arrays (docs/plan.md)."""
        return {
            "version": VERSION,
            "slots": plain(self.slots),
            "grids": plain(self.grids),
            "programs": plain(self.programs),
            "outputs": {value: output.slot for value, output in self.given.items()},
        }

    @cached_property
    def native(self) -> _native.Plan:
        """The native engine's plan, with its packed weights. Raises `NetworkError` where it refuses it."""
        try:
            return _native.Plan(
                self.spec, lambda size: check_size(size, f"{self.name}: its weights", NetworkError)
            )
        except VideoQuantError:
            raise
        except (ValueError, MemoryError) as error:
            raise NetworkError(f"{self.name}: {error or 'not enough memory'}") from None
