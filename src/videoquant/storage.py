"""Saved quantized networks: one safetensors file, its header holding the graph and the scheme as JSON.

Layers that are quantized are stored as their codes and scales alone; everything else in floating point.
Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from videoquant.errors import NetworkError, VideoQuantError, refused_as
from videoquant.quantized_onnx import read_quantized_onnx
from videoquant.saved_network import build
from videoquant.simulate.parameters import PointGrids
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tensor_file import has_format
from videoquant.torch_file import read_tensors, write_tensors
from videoquant.typed_json import member

FORMAT = "videoquant"
VERSION = 1


def save(quantized: QuantizedNetwork, path: str | Path) -> None:
    """Write a quantized network to one file (by convention *.vq).

    Raises `OutputError`, and `NetworkError` for what is none.

    The file appears whole or not at all.
    """
    if not isinstance(quantized, QuantizedNetwork):
        raise NetworkError(
            f"saved are quantized networks; this is a {type(quantized).__name__}: quantize it, by the scheme "
            "fp32 where nothing is to be lost"
        )
    tensors, header = contents(quantized)
    metadata = {"format": FORMAT, FORMAT: json.dumps(header)}
    write_tensors(Path(path), tensors, metadata)


def contents(quantized: QuantizedNetwork) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What a file of a quantized network holds: its tensors by name, and its header in the types of JSON."""
    network = quantized.network
    tensors: dict[str, Tensor] = {}
    weights: dict[str, dict[str, Any]] = {}
    coded = set()
    for name, layer in quantized.weights.items():
        weights[name] = {}
        same = layer.residual is layer.key
        for frame, codes in (("key", layer.key), ("residual", None if same else layer.residual)):
            if codes is not None:
                tensors[f"codes/{frame}/{name}"] = codes.codes
                tensors[f"scale/{frame}/{name}"] = codes.scale
                weights[name][frame] = {
                    "zero_point": codes.zero_point,
                    "axis": codes.axis,
                    "bits": codes.bits,
                }
        if same and layer.key is not None:
            weights[name]["residual"] = "key"
        if layer.residual_bias is not None:
            tensors[f"bias/residual/{name}"] = layer.residual_bias
        if layer.key is not None and (layer.residual is not None or quantized.bits[name].residual is None):
            coded.add(f"{name}.weight")
    tensors |= {f"float/{name}": tensor for name, tensor in network.tensors.items() if name not in coded}
    header = {
        "version": VERSION,
        "scheme": quantized.scheme.to_dict(),
        "network": {
            "name": network.name,
            "input": network.input,
            "input_shape": network.input_shape,
            "outputs": network.outputs,
            "preprocessing": asdict(network.preprocessing),
            "metadata": network.metadata,
            "states": network.states,
            "nodes": [asdict(node) for node in network.nodes],
        },
        "weights": weights,
        "grids": {
            str(point): [grids.key.to_json(), _residual_json(grids)]
            for point, grids in quantized.grids.items()
        },
    }
    return tensors, header


def _residual_json(grids: PointGrids) -> Any:
    if grids.residual is None:
        return None
    source = grids.residual.to_json()
    return {"of_frame": source} if grids.of_frame else source


def load_quantized(
    path: str | Path,
    *,
    preprocessing: Mapping[str, str] | None = None,
    size: tuple[int, int] | None = None,
) -> QuantizedNetwork:
    """Read what `save` wrote, whose outputs equal the saved network's, or a quantized ONNX file (*.onnx).

    preprocessing, size: of an ONNX file, as of `read_onnx`; what `save` wrote has its own.
    Raises `NetworkError` for a file that is missing, damaged, or says what no network of this package has.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        return read_quantized_onnx(path, preprocessing, size)
    if preprocessing or size:
        raise NetworkError(
            f"{path}: its preprocessing and size are stored with it; quantize again to change them"
        )
    header, tensors = read_tensors(path, FORMAT, "quantized network of videoquant", NetworkError)
    with refused_as(NetworkError, f"{path}: no quantized network, or damaged"):
        stored = json.loads(header[FORMAT])
        version = member(stored, "version", str(path), NetworkError)
        if version != VERSION:
            raise NetworkError(f"{path}: written in format {version}; this release reads {VERSION}")
        try:
            return build(stored, tensors, str(path))
        except VideoQuantError as error:
            words = str(error)
            raise NetworkError(words if words.startswith(str(path)) else f"{path}: {words}") from None


def is_quantized_file(path: str | Path) -> bool:
    """Whether a file looks like one that `save` wrote: a safetensors header of this format."""
    return has_format(path, FORMAT)
