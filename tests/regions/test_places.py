import pytest

from tests.engine.random_networks import Builder
from videoquant.network.graph import Network

SIZE = (64, 96)


def network(make):
    """Convolution to 8 channels, then what `make` adds; gives the network and the names of its values."""
    build = Builder(0)
    first = build.conv("input", inputs=3)
    values = make(build, first)
    return Network(build.nodes, "input", (1, 3, *SIZE), {"y": values[-1]}, build.tensors), values


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: [b.conv(x, kernel=(3, 3), stride=[2, 2], padding=[0, 0, 1, 1])],
        lambda b, x: [b.conv(x, kernel=(5, 5))],  # moves a map by two pixels
        lambda b, x: [b.node("slice", x, dim=1, start=2, end=4, step=1)],
        lambda b, x: [b.node("slice", x, dim=2, start=0, end=64, step=2)],
        lambda b, x: [b.node("slice", x, dim=3, start=8, end=96, step=1)],
        lambda b, x: [b.node("pad", x, padding=[4, 4, 4, 4], mode="reflect")],
        lambda b, x: [b.node("pad", x, padding=[0, 0, 0, 0, 20, 20], mode="constant", value=0.0)],
        lambda b, x: [b.node("softmax", x, dim=1)],
        lambda b, x: [b.node("mean", x, dims=[1], keepdim=True)],
        lambda b, x: [b.node("resize", x, mode="nearest", scale=[0.5, 2.0])],
        lambda b, x: [b.node("pixel_shuffle", b.conv(x, 32), factor=2)],
        lambda b, x: [b.link("transposed", x)],
        lambda b, x: [
            b.link("gate", x)
        ],  # a value of one pixel is computed in full, and so has nothing to lose
    ],
)
def test_values_that_lie_where_the_input_does(make):
    made, _ = network(make)
    assert made.placeless == set()


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: [b.node("slice", x, dim=2, start=0, end=32, step=1)],
        lambda b, x: [b.node("slice", x, dim=3, start=40, end=96, step=1)],
        lambda b, x: [b.node("pad", x, padding=[0, 40, 0, 0], mode="constant", value=0.0)],
        lambda b, x: [b.conv(x, kernel=(3, 3), dilation=[20, 20])],
        lambda b, x: [b.node("permute", x, dims=[0, 1, 3, 2])],
        lambda b, x: [b.node("softmax", x, dim=2)],
        lambda b, x: [b.node("concat", x, x, dim=2)],
        lambda b, x: [b.node("reshape", x, shape=[1, 8, -1])],
        lambda b, x: [b.node("mean", x, dims=[3], keepdim=False)],
    ],
)
def test_values_that_do_not_and_what_follows_them(make):
    made, values = network(lambda b, x: [*(first := make(b, x)), b.node("clamp", first[-1], min=0)])
    assert made.placeless == set(values)


def test_a_pixel_that_comes_of_a_placeless_map_has_a_place_again():
    made, (moved, _, _) = network(
        lambda b, x: [
            (moved := b.node("slice", x, dim=2, start=0, end=32, step=1)),
            (largest := b.node("amax", moved, dims=[2, 3], keepdim=True)),
            b.node("mul", x, largest),
        ]
    )
    assert made.placeless == {moved}


def test_a_window_may_move_a_small_map_by_one_of_its_pixels():
    # At a stride of 32 a pixel is more than a block.
    def make(build, x):
        for _ in range(5):
            x = build.conv(x, kernel=(3, 3), stride=[2, 2], padding=[0, 0, 1, 1])
        return [x]

    assert network(make)[0].placeless == set()
