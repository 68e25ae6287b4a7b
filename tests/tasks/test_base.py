import numpy as np
import pytest
import torch

from videoquant.network.graph import Network, Node
from videoquant.tasks.agreement import Mean, Together
from videoquant.tasks.base import Measure, is_probability, one, probability, threshold_of


def ending_in(*nodes: tuple[str, dict]) -> Network:
    """A network of these operators in a row, input 1×2×4×6."""
    names = ["image", *(f"n{i}" for i in range(len(nodes)))]
    row = [Node(f"n{i}", op, (names[i],), attributes) for i, (op, attributes) in enumerate(nodes)]
    return Network(row, "image", (1, 2, 4, 6), {"mask": names[-1]}, {})


RESIZE = ("resize", {"mode": "bilinear", "size": [8, 12]})


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([("sigmoid", {})], True),
        ([("hardsigmoid", {})], True),
        ([("softmax", {"dim": 1})], True),
        ([("clamp", {"min": 0, "max": 1})], True),
        ([("clamp", {"min": 0.0, "max": 6.0})], False),
        ([("clamp", {"min": 0})], False),
        ([("sigmoid", {}), RESIZE, ("permute", {"dims": [0, 1, 3, 2]})], True),
        ([("sigmoid", {}), ("tanh", {})], False),
        ([RESIZE], False),
        ([("leaky_relu", {"slope": 0.1})], False),
        ([], False),
    ],
)
def test_the_graph_decides_what_is_a_probability(nodes, expected):
    network = ending_in(*nodes)
    assert is_probability(network, "mask") is expected
    assert threshold_of(network, "mask") == (0.5 if expected else 0.0)


def test_logits_become_probabilities_and_broken_values_zero():
    values = np.array([0.0, 1000.0, -1000.0, np.nan, np.inf, -np.inf], np.float32)
    assert probability(values, 0.0).tolist() == [0.5, 1, 0, 0, 1, 0]
    assert probability(np.array([0.25, 1.5, -0.5, np.nan]), 0.5).tolist() == [0.25, 1, 0, 0]


def test_a_measure_is_written_with_its_digits_and_unit():
    assert Measure("psnr", "PSNR", "dB", digits=2).format(31.4159) == "31.42 dB"
    assert Measure("mask_iou", "mask IoU").format(0.98765) == "0.988"


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().sum())


def test_a_mean_is_over_frames():
    agreement = Mean("gap", "out", difference)
    zero = {"out": torch.zeros(1, 1)}
    assert [agreement.update(zero, {"out": torch.tensor([[v]])}) for v in (1.0, 2.0, 6.0)][2] == {"gap": 6.0}
    assert agreement.result() == {"gap": 3.0}


def test_together_joins_the_parts():
    agreement = Together(Mean("first", "a", difference), Mean("second", "b", difference))
    outputs = {"a": torch.zeros(1, 2), "b": torch.zeros(1, 3)}
    other = {"a": torch.ones(1, 2), "b": torch.ones(1, 3)}
    assert agreement.update(outputs, other) == agreement.result() == {"first": 2.0, "second": 3.0}


def test_an_output_leaves_the_gradient_behind():
    tensor = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    taken = one({"out": tensor}, "out")
    assert (taken.dtype, taken.shape) == (np.float32, (4,))
