"""A plan's file: one safetensors file, whose header holds the dataclasses of the plan as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import MissingExtraError, NetworkError, VideoQuantError, refused_as
from videoquant.network.preprocessing import Preprocessing
from videoquant.runtime.plan import Plan
from videoquant.runtime.plan_checks import check_plan
from videoquant.runtime.plan_spec import VERSION, plain, read_program
from videoquant.runtime.plan_version_1 import from_version_1
from videoquant.runtime.program import CodeGrid, PostprocessNode, ProgramOutput, Slot
from videoquant.schemes import Scheme
from videoquant.tasks.stored import task_from_json, task_to_json
from videoquant.tensor_file import has_format, read_file, write_arrays
from videoquant.typed_json import member, read

FORMAT = "videoquant plan"
FIELDS: dict[str, Any] = {
    "name": str,
    "input_shape": tuple[int, ...],
    "preprocessing": Preprocessing,
    "slots": tuple[Slot, ...],
    "grids": tuple[CodeGrid, ...],
    "given": dict[str, ProgramOutput],
    "outputs": dict[str, str],
}  # of a plan, as `typed_json` reads them; scheme, programs and postprocess have readers of their own

PlanType = TypeVar("PlanType", bound=Plan)


def is_plan_file(path: str | Path) -> bool:
    """Whether a file looks like one that `save_plan` wrote: a safetensors header of this format."""
    return has_format(path, FORMAT)


def save_plan(plan: Plan, path: str | Path) -> None:
    """Write a plan to one file, which appears whole or not at all. Raises `OutputError`."""
    tensors: dict[str, NDArray[Any]] = {}
    fields = (*FIELDS, "programs", "postprocess")
    header = {
        "version": VERSION,
        "scheme": plan.scheme.to_dict(),
        "task": task_to_json(plan.task),
        **{field: _without_arrays(plain(getattr(plan, field)), tensors) for field in fields},
    }
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "plan": json.dumps(header)}
    write_arrays(Path(path), arrays, metadata)


def read_plan(path: str | Path, kind: type[PlanType]) -> PlanType:
    """Read what `save_plan` wrote, and check all of it. Raises `NetworkError` for anything else.

    That is cut and damaged files, unknown versions (1 and 2 are read; they do not say what is placeless, so
    that their streams have no regions), and files that ask for more memory than `limits` allows.
    kind: `Plan`, or a class with the same fields.
    """
    path = Path(path)
    refusal = "not a plan, or damaged"
    metadata, tensors = read_file(path, FORMAT, NetworkError, refusal, "not a plan that videoquant wrote")
    damaged = f"{path}: {refusal}"
    with refused_as(NetworkError, damaged):
        header = json.loads(metadata["plan"])
        if header["version"] not in range(1, VERSION + 1):
            raise NetworkError(
                f"{path}: a plan of version {header['version']!s:.20}; this release reads 1 to {VERSION}"
            )
        try:
            whole = _with_arrays(header, tensors)
            plan = _build(from_version_1(whole, tensors) if whole["version"] == 1 else whole, kind)
            check_plan(plan)
        except MissingExtraError:
            raise  # the file is sound, but this installation cannot measure its ranges
        except VideoQuantError as error:
            raise NetworkError(f"{damaged} ({' '.join(str(error).split())[:400]})") from None
    return plan


def _build(header: dict[str, Any], kind: type[PlanType]) -> PlanType:
    fields = {
        name: read(annotation, member(header, name, "it", NetworkError), name, NetworkError)
        for name, annotation in FIELDS.items()
    }
    programs = member(header, "programs", "it", NetworkError)
    size, outputs = fields["input_shape"][2:], tuple(fields["outputs"])
    return kind(
        **fields,
        scheme=Scheme.from_dict(member(header, "scheme", "it", NetworkError)),
        programs={name: read_program(program, name) for name, program in programs.items()},
        postprocess=tuple(map(_read_node, member(header, "postprocess", "it", NetworkError))),
        task=task_from_json(header.get("task"), size, fields["preprocessing"], outputs),
    )


def _read_node(data: Any) -> PostprocessNode:
    tensors = member(data, "tensors", "postprocess", NetworkError)
    if not all(isinstance(tensor, np.ndarray) for tensor in tensors.values()):
        raise NetworkError("postprocess: a tensor is no array")
    node: PostprocessNode = read(PostprocessNode, {**data, "tensors": {}}, "postprocess", NetworkError)
    return replace(node, tensors=tensors)


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
