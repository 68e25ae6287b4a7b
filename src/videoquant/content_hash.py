"""Hashes of contents: by what results are found again, since equal contents give equal results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videoquant.made import VERSION
from videoquant.network.graph import Network


class ContentHash:
    """A hash of values one after another. It begins with the package's code and PyTorch's way to compute."""

    def __init__(self) -> None:
        self._found = blake2b(digest_size=20)
        self.add_json({"code": code(), "torch": [torch.__version__, torch.backends.cpu.get_cpu_capability()]})

    def hexdigest(self) -> str:
        return self._found.hexdigest()

    def add_json(self, value: Any) -> None:
        self._found.update(json.dumps(value, sort_keys=True).encode())

    def add_tensor(self, name: str, x: Tensor) -> None:
        # How a tensor lies in memory decides the order of sums.
        self._found.update(f"{name} {x.dtype} {tuple(x.shape)} {x.stride()};".encode())
        self._found.update(x.detach().cpu().contiguous().numpy().data)

    def add_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        for name in sorted(tensors):
            self.add_tensor(name, tensors[name])

    def add_array(self, x: Any) -> None:
        array = np.ascontiguousarray(x)
        self._found.update(f"{array.dtype} {array.shape};".encode() + array.tobytes())

    def add_value(self, value: Any) -> None:
        """A dataclass of arrays and plain values, such as a target; None is one too."""
        if is_dataclass(value):
            self.add_json(type(value).__name__)
            for field in fields(value):
                self.add_value(getattr(value, field.name))
        elif isinstance(value, np.ndarray):
            self.add_array(value)
        else:
            self.add_json(value)

    def add_network(self, network: Network) -> None:
        self.add_json(
            {
                "network": [
                    network.name,
                    network.input,
                    network.input_shape,
                    network.outputs,
                    network.metadata,
                    network.states,
                ],
                "preprocessing": asdict(network.preprocessing),
                "nodes": [asdict(node) for node in network.nodes],
            }
        )
        self.add_tensors(network.tensors)


@cache
def code() -> str:
    """The version of the package, and the hash of its code: it may be edited where it is installed."""
    found = blake2b(VERSION.encode(), digest_size=20)
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        found.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return found.hexdigest()
