"""A quantized network as a module whose parameters are weights, biases and scales."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor, nn

from videoquant.errors import NetworkError, SchemeError
from videoquant.network.graph import Network
from videoquant.quantizers.on_grid import LearnedGrid
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.quantizers.weights import WeightCodes
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import RangeSource, StaticGrid
from videoquant.simulate.parameters import LayerWeights, Parameters, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.stream import Stream

KEY, RESIDUAL = "key", "residual"


class TrainableNetwork(nn.Module):
    """Clips in, the outputs of every frame out, computed by the very stream that is simulated later.

    quantized: the solution of post-training calibration, from which training starts. Trained are the weights
    and biases of its layers, of which keyframes and residual frames quantize the same ones, and the scales:
    of weights, and of activations where they are static. Scales that are measured or predicted at run time
    stay so; the gradient passes through the quantizer all the same.

    A scale is trained as s = s₀ · exp(θ) from θ = 0, its change: it stays positive, and a step changes large
    and small ones alike.
    Raises `SchemeError` for a scheme that quantizes nothing, `NetworkError` for a network with states.
    """

    def __init__(self, quantized: QuantizedNetwork) -> None:
        super().__init__()
        if quantized.scheme.is_float:
            raise SchemeError(f"{quantized.scheme}: nothing in it is quantized, so there is nothing to train")
        if quantized.network.states:
            raise NetworkError(f"{quantized.network.name}: has states; networks with states are not trained")
        self.scheme = quantized.scheme
        self._start = quantized
        network = quantized.network
        trained = {f"{node.name}.{short}" for node in network.layers for short in node.tensors}
        self.tensors = nn.ParameterDict()
        tensors: dict[str, Tensor] = {}
        shared: dict[int, nn.Parameter] = {}  # a module that is called twice has one weight in two layers
        for name, tensor in network.tensors.items():
            own = nn.Parameter(tensor.detach().clone(), requires_grad=name in trained)
            tensors[name] = shared.setdefault(tensor.data_ptr(), own)
            self.tensors[_key(name)] = tensors[name]
        self.network = network.with_tensors(tensors)
        self.changes = nn.ParameterDict()
        self.residual_biases = nn.ParameterDict()
        for name, layer in quantized.weights.items():
            for frame, codes in ((KEY, layer.key), (RESIDUAL, layer.residual)):
                if codes is not None and not (frame == RESIDUAL and codes is layer.key):
                    self._learn(f"{name} {frame} weights", codes.scale)
            if layer.residual_bias is not None:
                self.residual_biases[_key(name)] = nn.Parameter(layer.residual_bias.detach().clone())
        for point, pair in quantized.grids.items():
            for frame, grid in ((KEY, pair.key), (RESIDUAL, pair.residual)):
                if grid is not None and grid.fixed is not None:
                    self._learn(
                        f"{point} {frame} activations",
                        torch.tensor(grid.fixed.scale, dtype=torch.float32, device="cpu"),
                    )

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Every clip through a stream of its own.

        clips: B×T×C×H×W. Returns the network's outputs by name, each (B·T)×…, clip after clip.
        """
        parameters = self._parameters_now()
        # With scales of the frame's own, a stream holds one clip; else clips go through it side by side.
        apart = parameters.watched or not all(_is_static(pair) for pair in parameters.grids.values())
        parts = [clips[i : i + 1] for i in range(len(clips))] if apart else [clips]
        outputs: dict[str, list[Tensor]] = {}
        for part in parts:
            stream = Stream(parameters)
            frames = [stream.feed(part[:, t].contiguous()) for t in range(part.shape[1])]
            for name in frames[0]:
                outputs.setdefault(name, []).append(torch.stack([f[name] for f in frames], 1).flatten(0, 1))
        return {name: torch.cat(values) for name, values in outputs.items()}

    def quantized(self, network: Network | None = None) -> QuantizedNetwork:
        """What has been learnt so far, for `videoquant.save` and every stream: codes, scales, biases.

        network: the same network for inputs of another size; default `self.network`.
        """
        network = network or self.network
        tensors = {name: self.tensors[_key(name)].detach().cpu().clone() for name in self.network.tensors}
        weights = {}
        for name, layer in self._weights_now().items():
            weight = tensors[f"{name}.weight"]
            key, residual = (
                codes and codes.with_scale(codes.scale.detach().cpu()).requantized(weight)
                for codes in (layer.key, layer.residual)
            )
            bias = None if layer.residual_bias is None else layer.residual_bias.detach().cpu().clone()
            weights[name] = LayerWeights(key, key if layer.residual is layer.key else residual, bias)
        grids = {}
        for point, pair in self._grids_now().items():
            key_grid = _fixed(pair.key)
            assert key_grid is not None
            grids[point] = PointGrids(key_grid, _fixed(pair.residual), pair.of_frame)
        return QuantizedNetwork(network.with_tensors(tensors), self.scheme, weights, grids)

    def suspect(self) -> str:
        """The scale that is not finite, or else has moved furthest: where a divergence began."""
        moved = {name: float(change.detach().abs().max()) for name, change in self.changes.items()}
        name = next(
            (name for name, size in moved.items() if not isfinite(size)), max(moved, key=moved.__getitem__)
        )
        return name.replace("/", ".")

    def _learn(self, name: str, scale: Tensor) -> None:
        self.changes[_key(name)] = nn.Parameter(torch.zeros_like(scale))

    def _scale(self, name: str, start: Tensor) -> Tensor:
        change: Tensor = self.changes[_key(name)]
        return start.to(change.device) * change.exp()

    def _parameters_now(self) -> Parameters:
        return Parameters(self.network, self.scheme, self._weights_now(), self._grids_now())

    def _weights_now(self) -> dict[str, LayerWeights]:
        def now(name: str, codes: WeightCodes | None, frame: str) -> WeightCodes | None:
            return codes and codes.with_scale(self._scale(f"{name} {frame} weights", codes.scale))

        weights = {}
        for name, layer in self._start.weights.items():
            key = now(name, layer.key, KEY)
            same = layer.residual is layer.key
            residual = key if same else now(name, layer.residual, RESIDUAL)
            bias = self.residual_biases[_key(name)] if layer.residual_bias is not None else None
            weights[name] = LayerWeights(key, residual, bias)
        return weights

    def _grids_now(self) -> dict[QuantizationPoint, PointGrids]:
        def now(point: QuantizationPoint, grid: RangeSource | None, frame: str) -> RangeSource | None:
            fixed = None if grid is None else grid.fixed
            if fixed is None:
                return grid
            scale = self._scale(
                f"{point} {frame} activations", torch.tensor(fixed.scale, dtype=torch.float32, device="cpu")
            )
            return StaticGrid(
                LearnedGrid(float(scale.detach()), fixed.zero_point, fixed.low, fixed.high, scale)
            )

        grids = {}
        for point, pair in self._start.grids.items():
            key = now(point, pair.key, KEY)
            assert key is not None
            grids[point] = PointGrids(key, now(point, pair.residual, RESIDUAL), pair.of_frame)
        return grids


def _key(name: str) -> str:
    """A name that a `ParameterDict` takes: it allows no dots."""
    return name.replace(".", "/")


def _is_static(pair: PointGrids) -> bool:
    return all(source is None or source.known == "before" for source in (pair.key, pair.residual))


def _fixed(grid: RangeSource | None) -> RangeSource | None:
    """A grid that no gradient reaches."""
    learned = None if grid is None else grid.fixed
    if learned is None:
        return grid
    return StaticGrid(Grid(learned.scale, learned.zero_point, learned.low, learned.high))
