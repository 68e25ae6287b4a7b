"""NaN and infinity: refused where a quantizer would meet them, by the node that gives them."""

import pytest
import torch
from torch import nn

import videoquant as vq


class Ratio(nn.Module):
    """A black frame divides by zero in the middle of it."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.first(x))
        return self.last(y / y.mean((2, 3), keepdim=True))


SCHEMES = ("w8a8", "w8a8 minmax", "w8a8 aciq", "w8a8 quantile=0.999", "w8a4 qpp", "w8a4 qpp=3 at=auto:2",
           "w8a4 ds=1%", "w8a8->w4a4 T=3", "w8a8->w4a4 T=3 recurrent adaptive")  # fmt: skip


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return vq.capture(Ratio(), torch.rand(1, 3, 16, 16))


def pictures(count):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, 3, 16, 16, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_calibration_frame_is_refused_with_its_node(network, scheme):
    frames = pictures(24)
    frames[6] = torch.zeros(1, 3, 16, 16)
    with pytest.raises(vq.DataError, match=r"node 'div' gives NaN or infinity for calibration frame 7 of 24"):
        vq.quantize(network, scheme, frames)


@pytest.mark.parametrize("scheme", [*SCHEMES, "w8a8 dynamic", "w8a8->w4a4 T=3 dynamic"])
def test_a_frame_in_the_middle_is_refused_and_leaves_the_stream_as_it_was(network, scheme):
    frames = pictures(24)
    quantized = vq.quantize(network, scheme, frames)
    stream, other = quantized.stream(), quantized.stream()
    for i, frame in enumerate(frames[:6]):
        if i % quantized.scheme.period == 0:  # residuals of a black frame need not add up to zero
            with pytest.raises(vq.DataError, match="node 'div' gives NaN or infinity for this frame"):
                stream(torch.zeros(1, 3, 16, 16))
        assert torch.equal(stream(frame), other(frame)), i


def test_infinity_that_no_quantizer_meets_is_allowed():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            y = self.first(x)
            return torch.sigmoid(torch.reciprocal(torch.relu(y)))

    network = vq.capture(Masked(), torch.rand(1, 3, 8, 8))
    assert vq.quantize(network, "w8a8", pictures_of(8))(pictures_of(8)[0]).shape == (1, 4, 8, 8)


def pictures_of(size):
    return [x[..., :size, :size] for x in pictures(4)]


@pytest.mark.parametrize(
    "make",
    [
        *(lambda v=v: vq.Scheme.parse(f"w8a8 quantile={v}") for v in ("nan", "inf", "-inf", "1e999")),
        *(
            lambda v=v: vq.Scheme.parse(f"w8a8 ds={v}")
            for v in ("nan", "inf", "nan%", "inf%", "snan%", "1e999%")
        ),
        *(
            lambda v=v: vq.Scheme.parse(f"w8a8->w4a4 {v}")
            for v in ("T=nan", "T=inf", "adaptive tau=inf", "tau=nan")
        ),
        *(lambda v=v: vq.Scheme.parse(f"w8a8 {v}") for v in ("qpp=nan", "head=nan", "tail=inf")),
        *(lambda v=v: vq.Residual(period=v) for v in (float("nan"), float("inf"))),
        *(lambda v=v: vq.Residual(adaptive=True, tolerance=v) for v in (float("nan"), float("inf"))),
        *(lambda v=v: vq.Quantile(v) for v in (float("nan"), float("inf"))),
        *(lambda v=v: vq.DenseSparse(v) for v in (float("nan"), float("inf"))),
    ],
)
def test_options_of_schemes_are_finite(make):
    with pytest.raises(vq.SchemeError):
        make()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize("key", ["mean", "std", "scale"])
def test_preprocessing_is_finite(key, value):
    text = value if key == "scale" else f"{value},{value},{value}"
    with pytest.raises(vq.NetworkError, match="must be finite"):
        vq.Preprocessing().with_text({key: text})
