"""A plan: a network and its scheme as the native engine takes them, in one dict of plain values and arrays.

What the dict `spec` holds is written down in docs/plan.md.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as serialize
from torch import Tensor

from videoquant import _native
from videoquant.errors import NetworkError, VideoQuantError, refused_as
from videoquant.files import atomic_write, check_safetensors
from videoquant.limits import check_size
from videoquant.network.graph import Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.schemes import Scheme

if TYPE_CHECKING:
    from videoquant.runtime.stream import Stream

FORMAT = "videoquant plan"
VERSION = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """What `lower` makes of a quantized network; `plan.stream()` runs it.

    name, input_shape, preprocessing: of the network. scheme: how it is quantized.
    spec: slots, grids, programs and their outputs, by the name of the value (docs/plan.md).
    shapes: of the values that the programs give, as the network has them: 1×C×H×W or 1×C.
    tail: nodes after the last layer that PyTorch runs on those values (`body.py`); tail_tensors: theirs.
    outputs: the network's outputs: name → value, of a program or of the tail.
    """

    name: str
    input_shape: tuple[int, ...]
    preprocessing: Preprocessing
    scheme: Scheme
    spec: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    tail: tuple[Node, ...]
    tail_tensors: dict[str, NDArray[np.float32]]
    outputs: dict[str, str]

    def stream(
        self,
        mode: str = "frame",
        threads: int = 2,
        thresholds: dict[str, int] | None = None,
        refresh: int | None = None,
        isa: str = "",
    ) -> Stream:
        """A new stream of frames; streams share the plan's weights and no state.

        mode, thresholds, isa: see `open_session`. refresh: frames from one that is computed in full to the
        next, see `Stream`. Raises `SchemeError` where they do not fit the plan.
        """
        from videoquant.runtime.session import open_session
        from videoquant.runtime.stream import Stream

        return Stream(self, open_session(self, mode, threads, thresholds or {}, isa), refresh)

    @cached_property
    def native(self) -> _native.Plan:
        """The native engine's plan, with its packed weights. Raises `NetworkError` where it refuses it."""
        try:
            return _native.Plan(
                self.spec,
                lambda size: check_size(size, f"{self.name}: its weights", NetworkError),
            )
        except VideoQuantError:
            raise
        except (ValueError, MemoryError) as error:
            raise NetworkError(f"{self.name}: {error or 'not enough memory'}") from None

    @cached_property
    def tail_parameters(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of the tail's nodes, by the node's name and their short names."""
        return {
            node.name: {t: torch.from_numpy(self.tail_tensors[f"{node.name}.{t}"]) for t in node.tensors}
            for node in self.tail
        }

    def save(self, path: str | Path) -> None:
        """Write the plan to one safetensors file, which appears whole or not at all. Raises `OutputError`."""
        tensors: dict[str, NDArray[Any]] = {f"tail/{name}": t for name, t in self.tail_tensors.items()}
        header = {
            "version": VERSION,
            "name": self.name,
            "input_shape": self.input_shape,
            "preprocessing": asdict(self.preprocessing),
            "scheme": self.scheme.to_dict(),
            "spec": _without_arrays(self.spec, tensors),
            "shapes": self.shapes,
            "tail": [asdict(node) for node in self.tail],
            "outputs": self.outputs,
        }
        arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        metadata = {"format": FORMAT, "plan": json.dumps(header)}
        with atomic_write(Path(path)) as temporary:
            temporary.write_bytes(serialize(arrays, metadata))


def load_plan(path: str | Path) -> Plan:
    """Read what `Plan.save` wrote, and check all of it. Raises `NetworkError` for anything else.

    That is cut and damaged files, other versions, and files that ask for more memory than `limits` allows.
    """
    from videoquant.runtime.plan_checks import check_plan
    from videoquant.runtime.version1 import upgraded

    path = Path(path)
    check_safetensors(path, NetworkError)
    damaged = f"{path}: not a plan, or damaged"
    with refused_as(NetworkError, damaged), safe_open(path, "np") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise NetworkError(f"{path}: a safetensors file, but not a plan that videoquant wrote")
        header = json.loads(metadata["plan"])
        if header["version"] not in (1, VERSION):
            raise NetworkError(
                f"{path}: a plan of version {header['version']!s:.20}; this release reads 1 to {VERSION}"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with refused_as(NetworkError, damaged):
        try:
            plan = _build(upgraded(header) if header["version"] == 1 else header, tensors)
            check_plan(plan)
        except VideoQuantError as error:
            raise NetworkError(f"{damaged} ({' '.join(str(error).split())[:400]})") from None
    return plan


def _build(header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Plan:
    preprocessing: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in header["preprocessing"].items()
    }
    tail = [
        Node(**(node | {key: tuple(node[key]) for key in ("inputs", "tensors")})) for node in header["tail"]
    ]
    return Plan(
        header["name"],
        tuple(header["input_shape"]),
        Preprocessing(**preprocessing),
        Scheme.from_dict(header["scheme"]),
        _with_arrays(header["spec"], tensors),
        {value: tuple(shape) for value, shape in header["shapes"].items()},
        tuple(tail),
        {name.removeprefix("tail/"): t for name, t in tensors.items() if name.startswith("tail/")},
        header["outputs"],
    )


def _without_arrays(value: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    """The same value with every array moved to `tensors`, and {"tensor": its key} in its place."""
    if isinstance(value, dict):
        return {key: _without_arrays(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_arrays(item, tensors) for item in value]
    if isinstance(value, np.ndarray):
        key = str(len(tensors))
        tensors[key] = value
        return {"tensor": key}
    return value


def _with_arrays(value: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"tensor"}:
            return tensors[value["tensor"]]
        return {key: _with_arrays(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, tensors) for item in value]
    return value
