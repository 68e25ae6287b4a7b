"""Clips that are made, so that what is there is known: what a camera gives, and the scene without noise.

Each is what a gate goes wrong at: blind to something, or open for ever. A clip is a generator of (picture,
scene), uint8 H×W×3 both, a function of its seed.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Clip = Iterator[tuple[Pixels, Pixels]]

SIZE = (160, 224)
PERSON = (64, 22)  # height and width


def background(random: np.random.Generator, low: float, high: float, wide: int = 0) -> NDArray[np.float64]:
    """A scene of smooth patches and fine texture, between two levels; `wide` columns wider than a frame."""
    height, width = SIZE[0], SIZE[1] + wide
    coarse = random.random((height // 40 + 2, width // 40 + 2)).repeat(40, 0).repeat(40, 1)[:height, :width]
    for axis in (0, 1):
        coarse = sum(np.roll(coarse, shift, axis) for shift in range(-8, 9)) / 17
    fine = random.random((height // 4, width // 4)).repeat(4, 0).repeat(4, 1)[:height, :width]
    tint = np.array([1.0, 0.94, 0.88])
    return (low + (high - low) * (0.85 * coarse + 0.15 * fine))[:, :, None] * tint


def with_person(
    scene: NDArray[np.float64], left: float, contrast: float, size: tuple[int, int] = PERSON
) -> NDArray[np.float64]:
    """The scene with someone of so many levels more (or less), whose legs are a little darker."""
    height, width = size
    top, first = SIZE[0] - 24 - height, round(left)
    seen = scene.copy()
    base = scene[top : top + height].mean()
    inside = slice(max(first, 0), max(first + width, 0))
    seen[top : top + height, inside] = base + contrast
    seen[top + height // 2 : top + height, inside] = base + 0.7 * contrast
    return seen


def film(
    scene_at: Callable[[int], NDArray[np.float64]], frames: int, noise: float, random: np.random.Generator
) -> Clip:
    """The frames of a scene with noise of so many levels in brightness, and half of it in color."""
    for frame in range(frames):
        scene = np.clip(scene_at(frame), 0, 255)
        grain = random.normal(0, noise, (*SIZE, 1)) + random.normal(0, noise / 2, (*SIZE, 3))
        yield np.rint(np.clip(scene + grain, 0, 255)).astype(np.uint8), np.rint(scene).astype(np.uint8)


def _walks(start: int, speed: float, contrast: float, low: float, high: float, noise: float):
    """Someone who stands for `start` frames and then walks."""

    def made(seed: int) -> Clip:
        random = np.random.default_rng(seed)
        scene = background(random, low, high)
        return film(
            lambda frame: with_person(scene, 40 + speed * max(0, frame - start), contrast), 120, noise, random
        )

    return made


def _lit(light: Callable[[int], float], noise: float = 2.0, frames: int = 160, walk: bool = True):
    """A lit scene, in which someone walks, whose light is a function of the frame."""

    def made(seed: int) -> Clip:
        random = np.random.default_rng(seed)
        scene = background(random, 70, 130)
        left = (lambda frame: 2 * frame % 280 - 30) if walk else (lambda frame: -99)
        return film(lambda frame: with_person(scene, left(frame), 50) * light(frame), frames, noise, random)

    return made


def _cut(seed: int) -> Clip:
    random = np.random.default_rng(seed)
    scenes = [background(random, 40, 200), background(random, 60, 160)]
    return film(lambda frame: scenes[frame // 40 % 2], 120, 2, random)


def _pan(speed: float):
    def made(seed: int) -> Clip:
        random = np.random.default_rng(seed)
        wide = background(random, 40, 200, wide=400)

        def at(frame: int) -> NDArray[np.float64]:
            left = speed * frame
            first, part = int(left), left % 1
            near, far = (wide[:, first + k : first + k + SIZE[1]] for k in (0, 1))
            return near * (1 - part) + far * part

        return film(at, 120, 2, random)

    return made


def _left_behind(seed: int) -> Clip:
    random = np.random.default_rng(seed)
    scene = background(random, 80, 140)
    bag = scene.copy()
    bag[SIZE[0] - 48 : SIZE[0] - 24, 100:124] -= 25

    def at(frame: int) -> NDArray[np.float64]:
        return with_person(bag if 20 + 3 * frame > 100 else scene, 20 + 3 * frame, -40)

    return film(at, 160, 3, random)


def _rain(seed: int) -> Clip:
    random = np.random.default_rng(seed)
    scene = background(random, 50, 120)
    frames = film(lambda frame: with_person(scene, 3 * frame - 40, 50), 120, 3, random)
    for picture, truth in frames:
        wet = picture.astype(np.int16)
        for top, left in zip(
            random.integers(0, SIZE[0] - 12, 120), random.integers(0, SIZE[1], 120), strict=True
        ):
            wet[top : top + 12, left] += 35
        yield np.clip(wet, 0, 255).astype(np.uint8), truth


def _leaves(seed: int) -> Clip:
    random = np.random.default_rng(seed)
    scene = background(random, 60, 140)
    tree = random.random((SIZE[0] // 2 // 4, 20)).repeat(4, 0).repeat(4, 1)[:, :, None] * 90

    def at(frame: int) -> NDArray[np.float64]:
        seen = with_person(scene, 2 * frame - 20, 45)
        sway = round(3 * np.sin(frame / 3))
        seen[: SIZE[0] // 2, 120:200] = 50 + np.roll(tree, sway, 1)
        return seen

    return film(at, 120, 2, random)


def _covered(frame: int) -> float:
    return 0.05 if 60 <= frame < 100 else 1.0


CLIPS: dict[str, Callable[[int], Clip]] = {
    "still, little noise": _lit(lambda frame: 1.0, walk=False),
    "still, much noise": _lit(lambda frame: 1.0, noise=12, walk=False),
    "walker": _walks(20, 2, 50, 60, 140, 2),
    "walker, much noise": _walks(20, 2, 50, 60, 140, 12),
    "begins in the middle of motion": _walks(0, 3, 50, 60, 140, 3),
    "dark clothes at night": _walks(60, 1, -9, 24, 34, 3),
    "light changes slowly": _lit(lambda frame: 1 + 0.003 * frame),
    "light changes fast": _lit(lambda frame: 1 + 0.35 * np.sin(frame / 6)),
    "light is switched": _lit(lambda frame: 1.0 if frame // 50 % 2 else 0.5),
    "exposure steps": _lit(lambda frame: 1.0 if frame < 60 else min(1.25, 1 + 0.05 * (frame - 59))),
    "covered lens": _lit(_covered),
    "cuts": _cut,
    "slow pan": _pan(0.5),
    "fast pan": _pan(3),
    "something is left behind": _left_behind,
    "rain": _rain,
    "leaves that never rest": _leaves,
}
