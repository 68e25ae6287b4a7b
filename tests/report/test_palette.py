"""Families of schemes, and colours that everybody tells apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from videoquant.report.palette import COLORS, family


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("fp32", "float"),
        ("w32a32 head=fp", "float"),
        ("fp32->w8a8", "residual"),
        ("w8a8 dynamic", "frame"),
        ("w8a8->w4a4 T=3 recurrent", "residual"),
        ("w8a8->w8a8 adaptive tau=1", "adaptive"),
    ],
)
def test_family(scheme: str, kind: str) -> None:
    assert family(scheme) == kind


# What those without red, or green, cones see of linear RGB (Machado, Oliveira and Fernandes, 2009).
SEEN = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def linear(color: str) -> NDArray[np.float64]:
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    xyz = to_xyz @ rgb.clip(0, 1) / np.array([0.9505, 1.0, 1.0888])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", SEEN)
def test_colours_stand_apart_for_every_eye(eye: str) -> None:
    labs = [cielab(SEEN[eye] @ linear(color)) for color in COLORS]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(labs, 2)) > 10


def test_colours_stand_out_from_white() -> None:
    luminances = [float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in COLORS]
    assert max(luminances) < 1.05 / 3 - 0.05
