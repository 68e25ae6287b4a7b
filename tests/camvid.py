"""Tiny data sets in CamVid's layout."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.data.sets.camvid import CLASSES, VOID

HEIGHT, WIDTH, FRAMES = 64, 96, 9


def write_camvid(root: Path, frames: int = FRAMES) -> Path:
    """Write `root`/val and `root`/valannot: a labelled video of a band per class, which moves down.

    Gives `root`. Every class has its own colour; the last row is void.
    """
    random = np.random.default_rng(0)
    colours = random.integers(30, 226, (len(CLASSES), 3))
    for number in range(frames):
        rows = (np.arange(HEIGHT) - number) * len(CLASSES) // HEIGHT % len(CLASSES)
        labels = np.repeat(rows[:, None], WIDTH, axis=1)
        pixels = colours[labels] + random.integers(-4, 5, (HEIGHT, WIDTH, 3))
        labels[-1] = VOID
        _save(root, "val", number, pixels, labels)
    return root


def write_squares(root: Path, train: int = 6, val: int = 3) -> Path:
    """Write the splits train and val: a bright rectangle, of class 8, on dark ground, of class 0.

    Gives `root`. The upper rows are void. As in CamVid, train holds stills and val a video.
    """
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            labels = np.zeros((HEIGHT, WIDTH), np.int64)
            top, left = random.integers(0, (HEIGHT // 2, WIDTH // 2))
            labels[top : top + HEIGHT // 2, left : left + WIDTH // 2] = 8
            pixels = np.where(labels == 8, 200, 60)[..., None] + random.integers(-20, 20, (HEIGHT, WIDTH, 3))
            labels[:2] = VOID
            _save(root, split, number * (15 if split == "train" else 1), pixels, labels)
    return root


def _save(
    root: Path, split: str, number: int, pixels: NDArray[np.integer], labels: NDArray[np.integer]
) -> None:
    file = f"0016E5_{7959 + 2 * number:05d}.png"
    for folder, values in ((split, pixels), (f"{split}annot", labels)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8)).save(root / folder / file)
