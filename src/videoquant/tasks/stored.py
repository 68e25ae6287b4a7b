"""A task in the file of a plan, so that who has no network still knows what its outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from videoquant.errors import NetworkError
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks import TASKS, Task
from videoquant.typed_json import member, read

_KINDS = {kind.__name__: kind for kind in TASKS}
_OF_THE_NETWORK = ("size", "preprocessing")  # which the plan says itself


def task_to_json(task: Task | None) -> dict[str, Any] | None:
    """A task as a JSON object, its class as "kind"; None for none, or one of another kind than ours."""
    if task is None or type(task).__name__ not in _KINDS:
        return None
    fields = {name: value for name, value in asdict(task).items() if name not in _OF_THE_NETWORK}
    return {"kind": type(task).__name__, **fields}


def task_from_json(
    data: Any, size: Sequence[int], preprocessing: Preprocessing, outputs: Sequence[str]
) -> Task | None:
    """The task that `task_to_json` wrote. Raises `NetworkError` for what it never writes.

    size: (height, width) of the network's input. outputs: names of the network's.
    """
    if data is None:
        return None
    kind = _KINDS.get(member(data, "kind", "task", NetworkError))
    if kind is None:
        raise NetworkError(f"task is none of {', '.join(_KINDS)}")
    fields = {name: value for name, value in data.items() if name != "kind"}
    fields |= {"size": list(size), "preprocessing": asdict(preprocessing)}
    task: Task = read(kind, fields, "task", NetworkError)
    if task.primary not in outputs:
        raise NetworkError(f"task reads {task.primary!r}, which is no output")
    return task
