"""What becomes of the outputs where one of the last layers gives something else."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import small_network
from videoquant.calibration.ends import Ends
from videoquant.calibration.samples import Shelf


class Weighing(nn.Module):
    """Scores, and sides as the mean of a distribution: by a layer that stays in floating point."""

    def __init__(self):
        super().__init__()
        self.stem, self.sides, self.scores = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 1), nn.Conv2d(6, 2, 1)
        self.weigh = nn.Conv2d(8, 1, 1, bias=False)

    def forward(self, x):
        y = torch.relu(self.stem(x))
        sides, scores = self.weigh(self.sides(y).softmax(1)), self.scores(y).sigmoid()
        return torch.cat([sides * x.mean(), scores], 1)


def weighing():
    return vq.capture(Weighing().eval(), torch.zeros(1, 3, 8, 8))


def frames(network, count=3):
    random = torch.Generator().manual_seed(0)
    return [torch.rand(network.input_shape, generator=random) for _ in range(count)]


def learnt(network, quantized):
    ends, shelf = Ends(network, quantized), Shelf()
    ends.learn(frames(network), shelf)
    return ends


def test_last_are_those_that_no_quantized_layer_follows():
    network = weighing()
    quantized = vq.quantize(network, "w8a8", frames(network)).points
    assert [name for name in quantized if name in Ends(network, quantized)] == ["sides", "scores"]
    every = [node.name for node in network.layers]
    assert [name for name in every if name in Ends(network, every)] == ["weigh", "scores"]


@pytest.mark.parametrize("make", [small_network, weighing])
def test_outputs_are_the_network_s_with_one_layer_changed(make):
    network = make()
    quantized = vq.quantize(network, "w8a8", frames(network)).points
    ends = learnt(network, quantized)
    last = [node for node in network.layers if node.name in ends]
    assert last
    for node in last:
        for number, x in enumerate(frames(network)):

            def compute(other, inputs, node=node):
                y = network.apply(other, inputs)
                return y + 1 if other is node else y

            values = {}

            def noted(other, inputs, compute=compute, values=values):
                return values.setdefault(other.name, compute(other, inputs))

            whole, plain = network.run(x, noted), network.run(x)
            changed = [whole[name] for name in whole if not torch.equal(whole[name], plain[name])]
            found = ends.outputs(node.name, number, values[node.name])
            assert len(found) == len(changed) > 0
            assert all(torch.equal(a, b) for a, b in zip(found, changed, strict=True))


def test_an_end_that_is_alone_needs_no_look_at_the_frames():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.Sigmoid())
    network = vq.capture(module.eval(), torch.zeros(1, 3, 8, 8))
    ends = Ends(network, [node.name for node in network.layers])
    ends.learn([], Shelf())
    last = network.layers[-1].name
    y = torch.randn(1, 2, 6, 6)
    (found,) = ends.outputs(last, 0, y)
    assert torch.equal(found, y.sigmoid())
