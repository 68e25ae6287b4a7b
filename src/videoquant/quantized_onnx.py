"""A quantized ONNX file as a quantized network: its codes are the layers' weights, its scales their grids.

Whoever wrote it (`videoquant export`, ONNX Runtime, NNCF, PyTorch), it says QuantizeLinear and
DequantizeLinear. A pair before a layer is the layer's quantizer. Every other stays as `fake_quantize`, since
others quantize between layers, too. What the network gives is what the file gives.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch
from torch import Tensor

from videoquant.axes import FLOAT, Granularity
from videoquant.errors import NetworkError, refused_as
from videoquant.network.builder import needed
from videoquant.network.graph import Network, Node
from videoquant.network.onnx_quantized import StoredScale
from videoquant.network.onnx_reader import read_with_scales
from videoquant.quantizers.placement import LayerBits, layer_bits, points, weighing_layers
from videoquant.quantizers.weights import WeightCodes, output_axis, outputs_first, weight_groups
from videoquant.ranges.grid import Grid, span
from videoquant.ranges.sources import StaticGrid, Unquantized
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork

# Nodes whose values are some of those that they read, so on the same grid.
_MOVES = ("reshape", "permute", "slice", "max_pool2d")
_OFF_GRID = 1e-3  # steps by which a weight may miss its code; what float32 rounds is less
_WRITTEN = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm", "ConvInteger", "MatMulInteger")


def is_quantized_onnx(path: str | Path) -> bool:
    """Whether a file is an ONNX file that quantizes. Raises `NetworkError` for *.onnx that is none."""
    path = Path(path)
    if path.suffix != ".onnx" or not os.path.isfile(path):  # False for a name that is too long, too
        return False
    with refused_as(NetworkError, f"{path}: not an ONNX file"):
        nodes = onnx.load(path, load_external_data=False).graph.node
    return any(node.op_type.startswith(_WRITTEN) for node in nodes)


def read_quantized_onnx(
    path: str | Path,
    preprocessing: Mapping[str, str] | None = None,
    size: tuple[int, int] | None = None,
) -> QuantizedNetwork:
    """Read a quantized ONNX file. preprocessing, size: as of `read_onnx`.

    A layer is quantized where its weights are codes and what it reads stands on a grid; every other stays in
    floating point, as `keep-float`. The scheme is that of the metadata (`videoquant export` writes it), else
    w8a8.
    Raises `NetworkError` for a file that quantizes nothing, or as no scheme does: by blocks, with more than
    256 codes, with scales that are computed at run time.
    """
    network, scales = read_with_scales(path, preprocessing, size)
    network, scales = _into_depthwise(network, scales)
    frame = network.metadata.get("frame")
    if frame in ("key", "residual"):
        raise NetworkError(f"{path}: it is half of a residual scheme; read what it was exported from")
    layers = {
        node.name: _layer_steps(network, node, scales[node.name], f"{path}: layer {node.name!r}")
        for node in network.layers
        if node.name in scales
    }
    stated = network.metadata.get("scheme") if frame == "frame" else None
    scheme = _scheme_of(network, layers, None if stated is None else Scheme.parse(stated))
    bits = layer_bits(network, scheme)
    network, grids = _with_points(network, bits, str(path))
    if not grids:
        raise NetworkError(
            f"{path}: it quantizes nothing that {scheme} does; quantize it (videoquant quantize)"
        )
    weights: dict[str, LayerWeights] = {}
    for name in grids:
        width, asymmetric = bits[name].key.weights, scheme.weights == "asymmetric"
        place = f"{path}: layer {name!r}"
        weights[name] = LayerWeights(None if width == FLOAT else layers[name].codes(width, asymmetric, place))
    standing = points(network, bits)
    return QuantizedNetwork(
        network, scheme, weights, {at: PointGrids(grids[name]) for name, at in standing.items()}
    )


def without_quantizers(network: Network) -> Network:
    """The network with what its `fake_quantize` nodes read in their places."""
    instead: dict[str, str] = {}
    nodes = []
    for node in network.nodes:
        if node.op == "fake_quantize":
            instead[node.name] = instead.get(node.inputs[0], node.inputs[0])
        else:
            nodes.append(replace(node, inputs=tuple(instead.get(value, value) for value in node.inputs)))
    outputs = {name: instead.get(value, value) for name, value in network.outputs.items()}
    of = (nodes, network.input, network.input_shape, outputs, network.tensors)
    states = {state: instead.get(value, value) for state, value in network.states.items()}
    return Network(*of, network.preprocessing, network.name, network.metadata, states)


def _into_depthwise(
    network: Network, scales: Mapping[str, StoredScale]
) -> tuple[Network, dict[str, StoredScale]]:
    """Scales by channel behind a quantizer go into the weights of depthwise convolutions."""
    found, tensors, nodes = dict(scales), dict(network.tensors), {node.name: node for node in network.nodes}
    for node in network.layers:
        scaling, name = nodes.get(node.inputs[0]), f"{node.name}.weight"
        if node.op != "conv2d" or node.name not in found or scaling is None or scaling.op != "affine":
            continue
        by, shift = (tensors[f"{scaling.name}.{short}"] for short in ("weight", "bias"))
        behind = nodes.get(scaling.inputs[0])
        depthwise = node.attributes["groups"] == len(by) and tensors[name].shape[1] == 1
        if not depthwise or bool(shift.any()) or behind is None or behind.op != "fake_quantize":
            continue
        by = by.repeat_interleave(len(tensors[name]) // len(by))
        tensors[name] = tensors[name] * by.view(-1, 1, 1, 1)
        stored = found[node.name]
        found[node.name] = replace(stored, scale=stored.scale.reshape(-1) * by.numpy())
        nodes[node.name] = replace(node, inputs=scaling.inputs)
    return network.rewritten([*nodes.values()], tensors), found


# Weights


@dataclass(frozen=True)
class _LayerSteps:
    """A layer's weights as the file has them: w = steps · scale.

    steps: whole numbers in float32, C_out × …; scale: one, or one per output channel.
    zero_point: the file's, of codes counted from 0 on; None where channels have their own.
    """

    node: Node
    steps: Tensor
    scale: Tensor
    zero_point: int | None

    @property
    def fit_signed(self) -> bool:
        """Whether they are codes without a zero point, at 8 bits."""
        return float(self.steps.abs().max()) <= span(8, symmetric=True)[1]

    def codes(self, bits: int, asymmetric: bool, what: str) -> WeightCodes:
        low, high = int(self.steps.min()), int(self.steps.max())
        first, last = span(bits, symmetric=not asymmetric)
        zero = 0
        if asymmetric:
            zero = -low if self.zero_point is None else self.zero_point
        if low + zero < first or high + zero > last:
            raise NetworkError(
                f"{what}: its weights have codes {low} to {high}, which {bits} bits do not hold"
            )
        axis, groups = output_axis(self.node), weight_groups(self.node)
        codes = outputs_first(self.steps + zero, axis, groups).to(torch.uint8 if asymmetric else torch.int8)
        return WeightCodes(codes.contiguous(), self.scale, zero, axis, bits, groups)


def _layer_steps(network: Network, node: Node, stored: StoredScale, what: str) -> _LayerSteps:
    """Raises `NetworkError` where weights are not on the grid that the file names."""
    groups = weight_groups(node)
    rows = outputs_first(network.tensors[f"{node.name}.weight"], output_axis(node), groups).double()
    scale = torch.from_numpy(stored.scale.copy()).squeeze()
    if scale.dim() > 1:
        raise NetworkError(f"{what}: its weights have a scale for each block; one for each output is read")
    scale = scale.reshape(-1)
    if len(scale) * groups == len(rows):  # the groups of a transposed convolution share them
        scale = scale.repeat(groups)
    if len(scale) not in (1, len(rows)):
        raise NetworkError(f"{what}: its weights have {len(scale)} scales for {len(rows)} outputs")
    shares = rows / scale.double().view(-1, *[1] * (rows.dim() - 1))
    steps = shares.round()
    if float((shares - steps).abs().max()) > _OFF_GRID:
        raise NetworkError(f"{what}: the scales of its weights are not those of its outputs")
    return _LayerSteps(node, steps.float(), scale, stored.zero_point)


def _scheme_of(network: Network, layers: Mapping[str, _LayerSteps], stated: Scheme | None) -> Scheme:
    """The scheme that a file states, or w8a8, of the layers that it quantizes so."""
    nodes = {node.name: node for node in network.nodes}
    if stated is None:
        signed = all(layer.fit_signed for layer in layers.values())
        weights: Granularity = "per-channel" if signed else "asymmetric"
        stated = Scheme(weights=weights, quantize=tuple(sorted(weighing_layers(network))))
    floating, widths = [], layer_bits(network, stated)
    for node in network.layers:
        bits = widths[node.name].key
        lacks_codes = bits.weights != FLOAT and node.name not in layers
        if lacks_codes or (
            bits.activations != FLOAT and not _quantizer(nodes, node.inputs[0], bits.activations)
        ):
            floating.append(node.name)
    return replace(
        stated,
        keep_float=tuple(dict.fromkeys((*stated.keep_float, *floating))),
        quantize=tuple(name for name in stated.quantize if name not in floating),
    )


# Activations


def _with_points(
    network: Network, bits: Mapping[str, LayerBits], what: str
) -> tuple[Network, dict[str, StaticGrid | Unquantized]]:
    """The network without those `fake_quantize` nodes that are layers' quantizers; their grids, by layer."""
    nodes = {node.name: node for node in network.nodes}
    grids: dict[str, StaticGrid | Unquantized] = {}
    taken: dict[tuple[str, int], Grid] = {}
    for node in network.layers:
        width = bits[node.name].key.activations
        if bits[node.name].is_float:
            continue
        if width == FLOAT:
            grids[node.name] = Unquantized()
            continue
        found = _quantizer(nodes, node.inputs[0], width)
        if found is None:
            raise NetworkError(f"{what}: layer {node.name!r} reads what has no quantizer of {width} bits")
        value, grid = found
        if taken.setdefault((value, width), grid) != grid:  # others read this value on another grid
            value = node.inputs[0]
            taken[value, width] = grid
        grids[node.name] = StaticGrid(grid)
        nodes[node.name] = replace(node, inputs=(value,))
    kept = needed([*nodes.values()], network.outputs, network.states)
    names = {f"{node.name}.{short}" for node in kept for short in node.tensors}
    tensors = {name: tensor for name, tensor in network.tensors.items() if name in names}
    return network.rewritten(kept, tensors), grids


def _quantizer(nodes: Mapping[str, Node], value: str, bits: int) -> tuple[str, Grid] | None:
    """The value whose codes of so many bits a layer reads, and their grid; None where it reads none.

    value: what the layer reads.
    """
    node = nodes.get(value)
    last = 2**bits - 1
    while node is not None and node.op in _MOVES:
        node = nodes.get(node.inputs[0])
    if node is None or node.op != "fake_quantize":
        return None
    a = node.attributes
    grid = Grid(a["scale"], a["zero_point"] - a["low"], 0, a["high"] - a["low"])
    if node.name == value and grid.high == last:
        return node.inputs[0], grid
    narrow = Grid(grid.scale, grid.zero_point, 0, last)
    before = nodes.get(node.inputs[0])
    if node.name == value and before is not None and before.op == "clamp":
        ends = [before.attributes.get(end) for end in ("min", "max")]
        if all(
            end is not None and abs(end - held) < _OFF_GRID * grid.scale
            for end, held in zip(ends, narrow.range, strict=True)
        ):
            return before.inputs[0], narrow
    # What stands on the grid stays as it is on one with more codes.
    return (value, narrow) if grid.high <= last else None
