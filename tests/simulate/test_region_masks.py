import numpy as np
import torch

from tests.engine.random_networks import Builder
from videoquant.network.graph import Network
from videoquant.regions.region import Region
from videoquant.simulate.region_masks import Places, RegionMasks

SIZE = (16, 24)


def region(*blocks, whole=False):
    """Of blocks of 8 pixels, 2 × 3 of them."""
    mask = np.zeros((2, 3), bool)
    for block in blocks:
        mask[block] = True
    return Region(mask | whole, whole, False, SIZE, 8)


def test_new_values_stand_inside_and_old_ones_outside():
    masks = RegionMasks([region((0, 1)), region()], 0)
    new, old = torch.ones(2, 4, 8, 12), torch.zeros(2, 4, 8, 12)
    y = masks.choose((8, 12), new, old)
    assert y[0, :, :4, 4:8].eq(1).all() and y[0].sum() == 4 * 16 and y[1].sum() == 0
    assert torch.equal(masks.choose((8, 12), new.flatten(1), old.flatten(1)), y.flatten(1))
    vectors = masks.choose(None, torch.ones(2, 5), torch.zeros(2, 5))
    assert vectors.tolist() == [[1] * 5, [0] * 5]


def test_pixels_are_counted_over_all_streams():
    masks = RegionMasks([region((0, 1)), region(whole=True)], 0)
    assert masks.count((16, 24)) == (64 + 16 * 24, 2 * 16 * 24)
    assert masks.count(None) == (2, 2)
    assert not masks.whole and RegionMasks([region(whole=True)] * 2, 0).whole
    assert RegionMasks([region((0, 0))], 1).count((16, 24)) == (81, 16 * 24)


def test_what_is_held_is_what_held_values_do_not_give():
    build = Builder(0)
    first = build.conv("input", kernel=(3, 3), inputs=3, padding=[1, 1, 1, 1])
    active = build.node("clamp", first, min=0)
    pooled = build.node(
        "max_pool2d", active, kernel=[2, 2], stride=[2, 2], padding=[0] * 4, dilation=[1, 1], ceil=False
    )
    largest = build.node("amax", pooled, dims=[2, 3], keepdim=True)
    gated = build.node("mul", pooled, largest)
    joined = build.node("concat", pooled, build.node("add", pooled, pooled), dim=1)
    flat = build.node("reshape", pooled, shape=[0, -1])
    scores = build.node("linear", flat, tensors={"weight": build.random(5, 8 * 8 * 12)})
    outputs = {"a": gated, "b": joined, "c": scores}
    places = Places(Network(build.nodes, "input", (1, 3, *SIZE), outputs, build.tensors))
    assert places.held == {"input", first, pooled, gated, scores}
    assert places.flat == {flat: (8, 12)}
    assert places.map_size(pooled) == (8, 12) and places.map_size(largest) is None
    assert not places.placeless
