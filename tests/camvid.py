"""A tiny data set in CamVid's layout."""

from pathlib import Path

import numpy as np
from PIL import Image

from videoquant.data.sets.camvid import CLASSES, VOID

HEIGHT, WIDTH, FRAMES = 64, 96, 9


def write_camvid(root: Path, frames: int = FRAMES) -> Path:
    """Write `root`/val and `root`/valannot: a labelled video of a band per class, which moves down.

    Gives `root`. Every class has its own colour; the last row is void.
    """
    random = np.random.default_rng(0)
    colours = random.integers(30, 226, (len(CLASSES), 3))
    for name in ("val", "valannot"):
        (root / name).mkdir(parents=True)
    for number in range(frames):
        rows = (np.arange(HEIGHT) - number) * len(CLASSES) // HEIGHT % len(CLASSES)
        labels = np.repeat(rows[:, None], WIDTH, axis=1)
        pixels = colours[labels] + random.integers(-4, 5, (HEIGHT, WIDTH, 3))
        labels[-1] = VOID
        file = f"0016E5_{7959 + 2 * number:05d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(root / "val" / file)
        Image.fromarray(labels.astype(np.uint8)).save(root / "valannot" / file)
    return root
