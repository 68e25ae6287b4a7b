"""Saved quantized networks: one safetensors file, its header holding the graph and the scheme as JSON.

Layers that are quantized are stored as their codes and scales alone; everything else in floating point.
Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from videoquant.errors import NetworkError
from videoquant.files import atomic_write, check_file
from videoquant.network.graph import Network, Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.quantizers.grid import Grid
from videoquant.quantizers.placement import layer_bits, points
from videoquant.quantizers.predictor import Predictor
from videoquant.quantizers.weights import WeightCodes, weight_groups
from videoquant.schemes import Scheme
from videoquant.simulate.activations import (
    ActivationGrid,
    DynamicGrid,
    PredictedGrid,
    StaticGrid,
    Unquantized,
)
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork

FORMAT = "videoquant"
VERSION = 1


def save(quantized: QuantizedNetwork, path: str | Path) -> None:
    """Write a quantized network to one file (by convention *.vq). Raises `OutputError`.

    The file appears whole or not at all.
    """
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
            "nodes": [asdict(node) for node in network.nodes],
        },
        "weights": weights,
        "grids": {
            str(point): [_grid_to_json(grids.key), _grid_to_json(grids.residual)]
            for point, grids in quantized.grids.items()
        },
    }
    metadata = {"format": FORMAT, FORMAT: json.dumps(header)}
    with atomic_write(Path(path)) as temporary:
        # Not `save_file`, which makes a file that only its owner may read.
        temporary.write_bytes(serialize({n: t.detach().contiguous() for n, t in tensors.items()}, metadata))


def load_quantized(path: str | Path) -> QuantizedNetwork:
    """Read what `save` wrote; its outputs equal the saved network's. Raises `NetworkError`."""
    path = Path(path)
    check_file(path, NetworkError)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise NetworkError(f"{path}: a safetensors file, but not one that videoquant wrote")
            header = json.loads(metadata[FORMAT])
            if header["version"] != VERSION:
                raise NetworkError(
                    f"{path}: written in format {header['version']}; this release reads {VERSION}"
                )
            # Copies: in the file tensors lie at odd addresses, where matrix products may round otherwise.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return _build(header, tensors)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, OSError) as error:
        raise NetworkError(f"{path}: not a quantized network, or damaged ({error})".splitlines()[0]) from None


def is_quantized_file(path: str | Path) -> bool:
    """Whether a file looks like one that `save` wrote: a safetensors header of this format."""
    try:
        check_file(path, NetworkError)
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (NetworkError, SafetensorError, OSError):
        return False


def _build(header: dict[str, Any], tensors: dict[str, Tensor]) -> QuantizedNetwork:
    stored = header["network"]
    scheme = Scheme.from_dict(header["scheme"])
    nodes = [
        Node(**(node | {key: tuple(node[key]) for key in ("inputs", "tensors")})) for node in stored["nodes"]
    ]
    layers = {node.name: node for node in nodes}
    weights = {
        name: _weights_from_json(layers[name], entry, tensors) for name, entry in header["weights"].items()
    }
    floating = {name.removeprefix("float/"): t for name, t in tensors.items() if name.startswith("float/")}
    for name, layer in weights.items():
        if layer.key is not None:
            floating.setdefault(f"{name}.weight", layer.key.values)
    preprocessing: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in stored["preprocessing"].items()
    }
    network = Network(
        nodes,
        stored["input"],
        stored["input_shape"],
        stored["outputs"],
        floating,
        Preprocessing(**preprocessing),
        stored["name"],
    )
    grids = {
        point: PointGrids(
            _grid_from_json(header["grids"][str(point)][0], scheme, point.key, symmetric=False)
            or Unquantized(),
            _grid_from_json(header["grids"][str(point)][1], scheme, point.residual, symmetric=True),
        )
        for point in set(points(network, layer_bits(network, scheme)).values())
    }
    return QuantizedNetwork(network, scheme, weights, grids)


def _weights_from_json(node: Node, entry: dict[str, Any], tensors: dict[str, Tensor]) -> LayerWeights:
    name, groups = node.name, weight_groups(node)

    def read(frame: str) -> WeightCodes | None:
        if frame not in entry:
            return None
        codes, scale = tensors[f"codes/{frame}/{name}"], tensors[f"scale/{frame}/{name}"]
        if codes.dtype not in (torch.int8, torch.uint8):
            raise TypeError(f"codes of {name!r} are {codes.dtype}")
        if groups > 1 and scale.numel() == codes.shape[1] > 1:  # as first written: groups shared their scales
            scale = scale.repeat(groups)
        return WeightCodes(codes, scale, **entry[frame], groups=groups)

    key = read("key")
    return LayerWeights(key, key if entry.get("residual") == "key" else read("residual"))


def _grid_to_json(grid: ActivationGrid | None) -> Any:
    match grid:
        case None:
            return None
        case Unquantized():
            return "unquantized"
        case DynamicGrid():
            return "dynamic"
        case StaticGrid(fixed):
            return asdict(fixed)
        case PredictedGrid(predictor):
            return {"predictor": asdict(predictor)}


def _grid_from_json(data: Any, scheme: Scheme, bits: int | None, symmetric: bool) -> ActivationGrid | None:
    match data:
        case None:
            return None
        case "unquantized":
            return Unquantized()
        case "dynamic":
            assert bits is not None
            return DynamicGrid(scheme.range_estimator, bits, symmetric)
        case {"predictor": stored}:
            assert bits is not None
            return PredictedGrid(predictor_from_json(stored), scheme.range_estimator, bits, symmetric)
    return StaticGrid(Grid(**data))


def predictor_from_json(stored: dict[str, Any]) -> Predictor:
    """JSON has lists where a predictor has tuples."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    values["slopes"] = tuple(map(tuple, stored["slopes"]))
    return Predictor(**values)
