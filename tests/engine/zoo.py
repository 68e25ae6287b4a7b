"""Modules that hold what the small network of the other tests does not: every operator, met in every way."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

import videoquant as vq


class Zoo(nn.Module):
    """3×H×W through a layer and then, one class each, through the operators in question."""

    def __init__(self, channels=8):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 4, 1)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


class Activations(Zoo):
    def __init__(self):
        super().__init__()
        self.prelu, self.one = nn.PReLU(8), nn.PReLU()
        self.norm = nn.BatchNorm2d(8)

    def middle(self, x):
        x = F.leaky_relu(self.prelu(x), 0.2) + F.hardswish(x) * F.hardsigmoid(x)
        x = F.elu(F.gelu(x)) + F.gelu(x, approximate="tanh") - torch.erf(F.silu(self.one(x)))
        return self.norm(torch.tanh(x) * 2 + torch.sigmoid(x).clamp(0.3, 0.6))


class Arithmetic(Zoo):
    def __init__(self):
        super().__init__()
        self.register_buffer("per_channel", torch.rand(8, 1, 1) + 0.5)
        self.register_buffer("per_pixel", torch.rand(1, 1, 12, 12) + 0.5)
        self.register_buffer("every", torch.rand(1, 8, 12, 12) + 0.5)

    def middle(self, x):
        x = (1 - x) * self.per_channel / self.per_pixel + self.every
        y = 2 / (x * x + 1.5) - x / 3
        gate = y.mean((2, 3), keepdim=True)
        return (gate - y) * gate + y * y.amax((2, 3), keepdim=True) + y[:, :1] * x


class Pools(Zoo):
    def middle(self, x):
        a = F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1)
        b = F.avg_pool2d(x, 2, 2, count_include_pad=False) + F.max_pool2d(x, 2, ceil_mode=True)
        c = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) + F.adaptive_avg_pool2d(x, (6, 6))
        d = F.avg_pool2d(x, 5, 5, ceil_mode=True) + F.max_pool2d(x, 3, 5, dilation=2, ceil_mode=True).mean(
            (2, 3), True
        )
        return torch.relu(a) + b * c + F.interpolate(d, (6, 6)) + F.adaptive_avg_pool2d(x, 1)


class Moves(Zoo):
    def middle(self, x):
        big = F.interpolate(x, scale_factor=1.5, mode="bilinear") + F.interpolate(x, scale_factor=1.5)
        small = F.interpolate(big, (12, 12), mode="bilinear", align_corners=True)
        padded = F.pad(small, (1, 2, 0, 3)) * F.pad(small, (1, 2, 0, 3), mode="reflect")
        cut = F.pad(padded, (1, 0, 2, 1), mode="replicate")[:, :, 1:13, ::2][..., :6]
        wide = F.interpolate(cut, (12, 12))
        both = torch.cat([wide[:, 2:5], small[:, ::2], torch.relu(x)[:, :1]], 1)
        return F.pixel_shuffle(torch.cat([both] * 4, 1), 2)[:, :, ::2, ::2] + F.pad(
            x[:, 3:], (0, 0, 0, 0, 1, 2)
        )


class Layers(Zoo):
    """Convolutions of every kind, vectors, and a map that a linear layer reads."""

    def __init__(self):
        super().__init__()
        self.uneven = nn.Conv2d(8, 8, (3, 1), padding="same", bias=False)
        self.grouped = nn.Conv2d(8, 12, 3, stride=2, dilation=2, groups=4)
        self.up = nn.ConvTranspose2d(12, 8, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.depthwise_up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=8, bias=False)
        self.flat, self.vector = nn.Linear(8 * 16, 8), nn.Linear(8, 8, bias=False)

    def middle(self, x):
        y = self.uneven(torch.relu(x))
        small = self.up(self.grouped(F.hardswish(y)))[:, :, :4, :4]
        vector = self.vector(torch.relu(self.flat(small.flatten(1))))
        return self.depthwise_up(small) + vector[:, :, None, None]


class Ends(nn.Module):
    """Outputs of every kind: of the input, of a program's middle, of a tail that no plan has."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.register_buffer("fixed", torch.arange(6.0))

    def forward(self, x):
        y = self.conv(x)
        z = torch.softmax(torch.relu(y), 1)
        return {
            "input": x * 2 - 1,
            "raw": y,
            "soft": z,
            "rows": z.permute(0, 2, 3, 1).reshape(1, -1, 3).softmax(2),
            "mean": z.mean((2, 3)),
            "shifted": z.permute(0, 2, 3, 1) + self.fixed * 2,
        }


class Wide(nn.Module):
    """3×3 layers of many channels: alone, under a skip connection, before a pool; odd sizes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 2)
        self.second = nn.Conv2d(32, 48, 3, padding=1)
        self.third = nn.Conv2d(48, 48, 3, padding=(0, 2))
        self.last = nn.Conv2d(48, 70, 3)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        y = self.third(x)
        return {"last": self.last(F.max_pool2d(y, 2)), "skip": torch.relu(x[..., 1:-1, :] + y[..., 1:-1])}


ZOO = (Activations, Arithmetic, Pools, Moves, Layers, Ends, Wide)


@cache
def captured(module_class, size=12, seed=0):
    """A module of the zoo with random weights, captured for inputs 1×3×size×size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = module_class().eval()
        return vq.capture(module, (torch.randn(1, 3, size, size),), name=module_class.__name__)
