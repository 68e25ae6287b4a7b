"""A saved network from its header and its tensors: all that they say is checked before it is used.

So a network that loads is one that runs: no frame meets a grid of no bits, a shape that does not fit, or
codes that their grid does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from videoquant.axes import FLOAT
from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node
from videoquant.network.node_json import check_frame, read_nodes
from videoquant.network.preprocessing import Preprocessing
from videoquant.quantizers.placement import LayerBits, QuantizationPoint, layer_bits, points
from videoquant.quantizers.weights import WeightCodes, output_axis, weight_groups
from videoquant.ranges.grid import LARGEST, check_scale, span
from videoquant.ranges.sources import RangeSource, Unquantized, source_from_json
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.typed_json import member, read


def build(header: Any, tensors: dict[str, Tensor], what: str) -> QuantizedNetwork:
    """The network of a header and its tensors, as `storage.save` wrote them.

    what: begins messages: the file. Raises `NetworkError` and `SchemeError`.
    """

    def part(kind: Any, key: str, of: Any = header) -> Any:
        return read(kind, member(of, key, what, NetworkError), f"{what}: {key}", NetworkError)

    scheme = Scheme.from_dict(part(dict[str, Any], "scheme"))
    stored = part(dict[str, Any], "network")
    nodes = read_nodes(member(stored, "nodes", what, NetworkError), what)
    layers = {node.name: node for node in nodes if node.is_layer}
    entries: dict[str, Any] = part(dict[str, Any], "weights")
    for name in entries.keys() - layers.keys():
        raise NetworkError(f"{what}: weights of {name!r}, which is no layer")
    weights = {
        name: _read_weights(layers[name], entry, tensors, f"{what}: weights of {name!r}")
        for name, entry in entries.items()
    }
    floating = {name.removeprefix("float/"): t for name, t in tensors.items() if name.startswith("float/")}
    for name, layer in weights.items():
        if layer.key is not None:
            floating.setdefault(f"{name}.weight", layer.key.values)
    network = Network(
        nodes,
        part(str, "input", stored),
        part(tuple[int, ...], "input_shape", stored),
        part(dict[str, str], "outputs", stored),
        floating,
        part(Preprocessing, "preprocessing", stored),
        part(str, "name", stored),
        # Files of older releases have none.
        part(dict[str, str], "metadata", {"metadata": {}} | stored),
        part(dict[str, str], "states", {"states": {}} | stored),
    )
    _check_preprocessing(network.preprocessing, what)
    check_frame(network, what)
    bits = layer_bits(network, scheme)
    for name, layer_bit in bits.items():
        shape = network.tensors[f"{name}.weight"].shape
        _check_weights(weights.get(name), layer_bit, shape, scheme, f"{what}: weights of {name!r}")
    grids = _read_all_grids(part(dict[str, Any], "grids"), network, scheme, bits, what)
    quantized = QuantizedNetwork(network, scheme, weights, grids)
    for name, layer in weights.items():
        if layer.residual_bias is not None:
            of_frame = grids[quantized.points[name]].of_frame
            _check_residual_bias(layer.residual_bias, network.shapes[name], layers[name], of_frame, what)
    return quantized


def _check_residual_bias(bias: Tensor, shape: Sequence[int], node: Node, of_frame: bool, what: str) -> None:
    """Whether a layer has a bias of residual frames where one is added, a finite number for each channel."""
    channels = shape[-1] if node.op == "linear" else shape[1]
    if not of_frame:
        raise NetworkError(f"{what}: {node.name!r} has a bias for residual frames without a use")
    if bias.dtype != torch.float32 or tuple(bias.shape) != (channels,) or not bool(bias.isfinite().all()):
        raise NetworkError(
            f"{what}: {node.name!r}: its bias for residual frames must be {channels} finite float32 numbers"
        )


def _check_preprocessing(preprocessing: Preprocessing, what: str) -> None:
    """Raise `NetworkError` where pixels would leave float32, or channels lack a mean."""
    mean, std = preprocessing.mean, preprocessing.std
    sizes = [abs(number / divisor) for divisor in std for number in (*mean, 255 * preprocessing.scale)]
    if len(mean) not in (1, preprocessing.channels) or not max(sizes) < LARGEST / 2:
        raise NetworkError(
            f"{what}: preprocessing: mean {mean}, std {std} and scale {preprocessing.scale:g} make no input "
            f"of {preprocessing.channels} channels"
        )


def _read_weights(node: Node, entry: Any, tensors: dict[str, Tensor], what: str) -> LayerWeights:
    frames: dict[str, Any] = read(dict[str, Any], entry, what, NetworkError)

    def codes(frame: str) -> WeightCodes | None:
        if frame not in frames:
            return None
        parts = (f"codes/{frame}/{node.name}", f"scale/{frame}/{node.name}")
        found = [member(tensors, part, what, NetworkError) for part in parts]
        zero_point, axis, bits = (
            read(int, member(frames[frame], key, what, NetworkError), f"{what}: {key}", NetworkError)
            for key in ("zero_point", "axis", "bits")
        )
        read_codes = WeightCodes(found[0], found[1], zero_point, axis, bits, weight_groups(node))
        _check_codes(node, read_codes, what)
        if read_codes.groups > 1 and len(found[1]) == found[0].shape[1] > 1:
            # As first written: groups shared their scales.
            return replace(read_codes, scale=found[1].repeat(read_codes.groups))
        return read_codes

    key = codes("key")
    residual = key if frames.get("residual") == "key" else codes("residual")
    return LayerWeights(key, residual, tensors.get(f"bias/residual/{node.name}"))


def _check_codes(node: Node, weights: WeightCodes, what: str) -> None:
    """Whether codes are of their bits, and their grids are grids."""
    codes, scale = weights.codes, weights.scale
    if codes.dtype not in (torch.int8, torch.uint8) or codes.dim() != (2 if node.op == "linear" else 4):
        raise NetworkError(f"{what}: codes are {codes.dtype} of shape {tuple(codes.shape)}")
    if weights.axis != output_axis(node) or not 2 <= weights.bits <= 8:
        raise NetworkError(f"{what}: {weights.bits} bits with scales along axis {weights.axis}")
    symmetric = codes.dtype == torch.int8
    first, last = span(weights.bits, symmetric)
    if codes.numel() == 0 or int(codes.min()) < first or int(codes.max()) > last:
        raise NetworkError(f"{what}: codes of {weights.bits} bits must be {first} to {last}")
    if not first <= weights.zero_point <= last or (symmetric and weights.zero_point):
        raise NetworkError(f"{what}: the zero point is {weights.zero_point}, which is no code for zero")
    if weights.groups < 1 or codes.shape[0] % weights.groups:
        raise NetworkError(f"{what}: {codes.shape[0]} channels in {weights.groups} groups")
    channels = codes.shape[weights.axis] * weights.groups
    if (
        scale.dtype != torch.float32
        or scale.dim() != 1
        or len(scale) not in (1, codes.shape[weights.axis], channels)
    ):
        raise NetworkError(f"{what}: scales are {scale.dtype} of shape {tuple(scale.shape)}")
    for value in scale.tolist():
        check_scale(value, what)


def _check_weights(
    weights: LayerWeights | None, bits: LayerBits, shape: Sequence[int], scheme: Scheme, what: str
) -> None:
    """Whether a layer has the codes that the scheme asks for, of its weights' shape."""
    if bits.is_float:
        if weights is not None:
            raise NetworkError(f"{what}: {scheme} leaves this layer in floating point")
        return
    if weights is None:
        raise NetworkError(f"{what} are missing; {scheme} quantizes this layer")
    dtype = torch.uint8 if scheme.weights == "asymmetric" else torch.int8
    wanted = {"key": bits.key.weights, "residual": bits.residual.weights if bits.residual else FLOAT}
    for frame, codes in (("key", weights.key), ("residual", weights.residual)):
        if (FLOAT if codes is None else codes.bits) != wanted[frame]:
            has = "no codes" if codes is None else f"codes of {codes.bits} bits"
            raise NetworkError(f"{what}: {has} for {frame} frames; {scheme} has {wanted[frame]} bits")
        if codes is not None and (codes.codes.shape != tuple(shape) or codes.codes.dtype != dtype):
            raise NetworkError(
                f"{what}: codes are {codes.codes.dtype} of shape {tuple(codes.codes.shape)}; {scheme} has "
                f"{dtype}, and the weights {tuple(shape)}"
            )


def _read_all_grids(
    stored: dict[str, Any], network: Network, scheme: Scheme, bits: dict[str, LayerBits], what: str
) -> dict[QuantizationPoint, PointGrids]:
    standing = points(network, bits)
    odd = stored.keys() ^ {str(point) for point in standing.values()}
    if odd:
        raise NetworkError(f"{what}: grids of {min(odd)!r} are missing, or nothing is quantized there")
    known = {network.input}  # values that are computed by then
    features: dict[tuple[str, bool], tuple[str, ...]] = {}
    samples: dict[str, int] = {}
    found: dict[QuantizationPoint, PointGrids] = {}
    for node in network.nodes:
        point = standing.get(node.name)
        if point is not None and point not in found:
            place = f"{what}: grids of {str(point)!r}"
            pair = read(tuple[Any, Any], stored[str(point)], place, NetworkError)
            key = _read_grid(pair[0], scheme, point.key, place, symmetric=False)
            of_frame = isinstance(pair[1], dict) and "of_frame" in pair[1]
            stored_residual = pair[1]["of_frame"] if of_frame else pair[1]
            residual = _read_grid(stored_residual, scheme, point.residual, place, symmetric=not of_frame)
            if of_frame and (residual is None or residual.fixed is None):
                raise NetworkError(f"{place}: the frame's own codes have a static grid")
            if key is None:
                raise NetworkError(f"{place}: keyframes have none")
            found[point] = PointGrids(key, residual, of_frame)
            for grid, symmetric in ((key, False), (residual, True)):
                if grid is None or grid.predictor is None:
                    continue
                position, names = grid.predictor.position, grid.predictor.features
                if position not in known:
                    raise NetworkError(f"{place}: predicted from {position!r}, which is not known by then")
                count = grid.predictor.samples
                same = samples.setdefault(position, count) == count
                if features.setdefault((position, symmetric), names) != names or not same:
                    raise NetworkError(f"{place}: reads other features of {position!r} than the grids before")
        known.add(node.name)
    return found


def _read_grid(data: Any, scheme: Scheme, bits: int | None, what: str, symmetric: bool) -> RangeSource | None:
    """A point's grid on keyframes or, `symmetric`, on residual frames; bits: None where there are none."""
    if data is None and bits is None:
        return None
    if bits is None or data is None:
        raise NetworkError(f"{what}: residual frames have a grid, or the scheme has, and not both")
    if data == "unquantized" and (bits == FLOAT or (symmetric and scheme.period == 1)):
        return Unquantized()
    if bits == FLOAT or data == "unquantized":
        raise NetworkError(f"{what}: {scheme} has {bits} bits here; the file says otherwise")
    return source_from_json(data, scheme.range_estimator, bits, symmetric, what)
