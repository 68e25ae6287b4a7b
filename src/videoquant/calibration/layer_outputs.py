"""What the layers of a network give while it is calibrated, with the weights and biases learnt so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

from videoquant.calibration.bias import corrected_bias
from videoquant.network.graph import Network, Node
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.parameters import LayerWeights
from videoquant.simulate.quantized_tensor import Represented


class LayerOutputs:
    """Layers of one walk.

    recurrent: whether a residual is added to what the frame before gave.
    biases: the corrected ones, by the name of the layer.
    residual_biases: likewise on residual frames, of layers that read the frame's own codes there.
    overflowed: layers whose corrected bias would leave float32, so that they keep theirs.
    """

    def __init__(self, network: Network, weights: Mapping[str, LayerWeights], recurrent: bool) -> None:
        self.network, self.weights, self.recurrent = network, weights, recurrent
        self.biases: dict[str, Tensor] = {}
        self.residual_biases: dict[str, Tensor] = {}
        self.overflowed: list[str] = []

    def of_clip(self, node: Node, codes: Iterable[Represented], of_frame: bool) -> Iterator[Tensor]:
        """For a keyframe and the frames after it. of_frame: see `PointGrids`."""
        base: Tensor | None = None
        for x_hat in codes:
            if base is not None and of_frame:
                yield self.of_residual_frame(node, x_hat)
                continue
            tensors, weights = self._tensors(node, self.biases), self.weights[node.name]
            y = compute_layer(node, x_hat, weights.key if base is None else weights.residual, tensors, base)
            if base is None or self.recurrent:
                base = y
            yield y

    def of_residual_frame(self, node: Node, x_hat: Represented) -> Tensor:
        """For a residual frame's own codes."""
        tensors = self._tensors(node, self.residual_biases)
        return compute_layer(node, x_hat, self.weights[node.name].residual, tensors)

    def exact(self, node: Node, x: Tensor) -> Tensor:
        """In floating point."""
        return compute_layer(node, x, None, self.network.node_tensors(node))

    def correct(
        self, node: Node, samples: Iterable[tuple[Tensor, Represented]], residual: bool = False
    ) -> None:
        """Correct a layer's bias, on samples x and x̂ of its input. residual: that of residual frames."""
        weights, tensors = self.weights[node.name], self.network.node_tensors(node)
        biases, codes = (self.residual_biases, weights.residual) if residual else (self.biases, weights.key)
        bias = corrected_bias(node, samples, codes, tensors)
        if bool(bias.isfinite().all()):
            biases[node.name] = bias
        else:
            self.overflowed.append(node.name)

    def _tensors(self, node: Node, biases: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tensors = self.network.node_tensors(node)
        return {**tensors, "bias": biases[node.name]} if node.name in biases else tensors
