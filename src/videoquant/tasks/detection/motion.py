"""How boxes move: a Kalman filter of constant velocity for each, all at once.

A box is (centre x, centre y, width / height, height), and each of these four has a place and a velocity. What
is not known is taken to be a share of the height, as in DeepSORT (Wojke et al., ICIP 2017): 1/20 of places,
1/160 of velocities, and 10⁻² and 10⁻⁵ of the ratio of the sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_PLACE, _VELOCITY = 1 / 20, 1 / 160
_RATIO = (1e-2, 1e-5, 1e-1)  # of the ratio: its place, its velocity, and as it is measured


@dataclass(frozen=True, eq=False)
class Motion:
    """The state of N boxes.

    mean: N×4×2, of each of the four the place and the velocity by frame.
    spread: N×4×2×2, their covariance; the four do not depend on each other.
    """

    mean: Array
    spread: Array

    @classmethod
    def begin(cls, corners: NDArray[np.float32]) -> Motion:
        """Of boxes that are seen for the first time, at rest. corners: N×4."""
        places = _places(corners)
        deviations = _deviations(places[:, 3]) * np.array([2, 10])
        deviations[:, 2] = _RATIO[:2]
        return cls(np.stack([places, np.zeros_like(places)], -1), _diagonal(deviations))

    def __getitem__(self, chosen: Any) -> Motion:
        return Motion(self.mean[chosen], self.spread[chosen])

    @classmethod
    def joined(cls, first: Motion, second: Motion) -> Motion:
        return cls(np.concatenate([first.mean, second.mean]), np.concatenate([first.spread, second.spread]))

    def step(self) -> Motion:
        """One frame later: places move by their velocities, and less is known of both."""
        move = np.array([[1.0, 1.0], [0.0, 1.0]])
        deviations = _deviations(self.mean[:, 3, 0])
        deviations[:, 2] = _RATIO[:2]
        return Motion(self.mean @ move.T, move @ self.spread @ move.T + _diagonal(deviations))

    def seen(self, corners: NDArray[np.float32]) -> Motion:
        """With what is seen of each box now. corners: N×4."""
        places = _places(corners)
        noise = np.repeat(_PLACE * self.mean[:, 3, :1], 4, 1)
        noise[:, 2] = _RATIO[2]
        gain = self.spread[..., 0] / (self.spread[..., 0, 0] + noise**2)[..., None]  # N×4×2
        mean = self.mean + gain * (places - self.mean[..., 0])[..., None]
        return Motion(mean, self.spread - gain[..., None] * self.spread[..., :1, :])

    @property
    def corners(self) -> NDArray[np.float32]:
        """Where the boxes are thought to be, N×4."""
        x, y, ratio, height = self.mean[..., 0].T
        width = ratio * height
        return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1).astype(np.float32)


def _places(corners: NDArray[np.float32]) -> Array:
    left, top, right, bottom = corners.astype(np.float64).T
    height = np.maximum(bottom - top, 1e-6)
    return np.stack([(left + right) / 2, (top + bottom) / 2, (right - left) / height, height], 1)


def _deviations(height: Array) -> Array:
    """Standard deviations of place and velocity, N×4×2."""
    both = height[:, None] * np.array([_PLACE, _VELOCITY])
    return np.repeat(both[:, None], 4, 1)


def _diagonal(deviations: Array) -> Array:
    """Covariances N×4×2×2 of deviations N×4×2."""
    spread: Array = np.square(deviations)[..., None] * np.eye(2)
    return spread
