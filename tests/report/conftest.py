"""A comparison as a real run gives it: 11 schemes, 60 frames in 5 runs, 54 layers, 3 pictures each; plans."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from tests.networks import moving_frames
from tests.operators import captured
from tests.operators.pools import Pools
from videoquant.axes import Residual
from videoquant.comparison import Comparison, Row
from videoquant.engine import lower
from videoquant.schemes import Scheme
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB


@pytest.fixture(autouse=True)
def one_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same data gives the same files."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")


FRAMES = [start + step for start in (12, 96, 180, 264, 348) for step in range(12)]
PICTURE_FRAMES = [23, 191, 359]
LAYERS = [
    "features.conv_stem",
    *(f"features.blocks.{i}.{part}" for i in range(17) for part in ("expand", "depthwise", "project")),
    "features.heatmap",
    "features.offset",
]
# scheme: GBOPs per frame, SQNR in dB of keyframes and of residual frames, keypoint F1.
RESULTS = {
    "fp32": (1528.0, EXACT_DB, EXACT_DB, 1.0),
    "w8a8": (95.5, 22.4, 22.4, 0.971),
    "w4a8": (48.6, 10.9, 10.9, 0.842),
    "w8a4": (48.6, 14.2, 14.2, 0.883),
    "w4a4": (25.2, 11.1, 11.1, 0.795),
    "w8a8->w4a8 T=3": (64.2, 22.4, 18.8, 0.958),
    "w8a8->w8a4 T=3": (64.2, 22.4, 19.1, 0.961),
    "w8a8->w4a4 T=3": (48.6, 22.4, 18.7, 0.957),
    "w8a4->w4a4 T=3": (33.0, 14.2, 13.8, 0.881),
    "w8a8->w8a8 T=3 adaptive": (57.3, 22.4, 22.1, 0.972),
    "w8a8->w4a8 T=3 adaptive": (44.1, 22.4, 18.6, 0.955),
}
F1 = Measure("keypoint_f1", "keypoint F1")


def build(schemes: tuple[str, ...] = tuple(RESULTS), **changes: Any) -> Comparison:
    comparison = Comparison(
        network="posenet",
        source="one-by-one-person-detection.mp4",
        task="pose",
        measures=(F1,),
        primary="heatmap",
        rows=[_row(scheme) for scheme in schemes],
        calibration="15 frames of the same source, none of them scored",
        frames=len(FRAMES),
        drawn=[FRAMES.index(frame) for frame in PICTURE_FRAMES],
    )
    for name, value in changes.items():
        setattr(comparison, name, value)
    return comparison


@pytest.fixture
def comparison() -> Comparison:
    return build()


@pytest.fixture(scope="session")
def make_comparison() -> Any:
    """`build(schemes, **fields)`: the same with other schemes or fields."""
    return build


def _row(scheme: str) -> Row:
    rng = np.random.default_rng(sum(map(ord, scheme)))
    time = Scheme.parse(scheme).time
    gbops, key_db, residual_db, f1 = RESULTS[scheme]
    row = Row(scheme, gbops, (key_db + 2 * residual_db) / 3, {"keypoint_f1": f1})
    for number, frame in enumerate(FRAMES):
        key = not isinstance(time, Residual) or number % 12 % 3 == 0
        exact = key_db == EXACT_DB
        swing = 1.6 * math.sin(number / 7) + 0.5 * rng.standard_normal() - (0 if key else 0.4 * (number % 3))
        row.per_frame.append(
            {
                "frame": frame,
                "key": key,
                "gbops": gbops,
                "sqnr_db": EXACT_DB if exact else (key_db if key else residual_db) + swing,
                "agreement": {"keypoint_f1": 1.0 if exact else min(1.0, f1 + 0.02 * rng.standard_normal())},
            }
        )
    for depth, layer in enumerate(LAYERS):
        fade = 16 * (1 - depth / len(LAYERS)) + 1.5 * rng.standard_normal()
        row.layer_sqnr_db[layer] = min(EXACT_DB, row.sqnr_db + fade)
    if isinstance(time, Residual) and time.adaptive:
        for depth, layer in enumerate(LAYERS[1:]):
            skipped = 0.2 + 0.5 * depth / len(LAYERS) + 0.04 * rng.standard_normal()
            row.layer_shares[layer] = {0: skipped, 4: 0.8 * (1 - skipped), 8: 0.2 * (1 - skipped)}
        for width in (0, 4, 8):
            row.shares[width] = float(np.mean([shares[width] for shares in row.layer_shares.values()]))
    row.pictures = [_picture(frame, rng, row.sqnr_db) for frame in PICTURE_FRAMES]
    return row


def _picture(frame: int, rng: np.random.Generator, db: float) -> bytes:
    """A plain scene with a disc, which noise moves."""
    y, x = np.mgrid[0:108, 0:192]
    pixels = np.stack([90 + x / 3, 100 + y / 2, np.full_like(x, 120)], axis=-1)
    middle = 30 + frame / 3 + rng.standard_normal() * 60 / max(db, 5)
    pixels[(x - middle) ** 2 + (y - 60) ** 2 < 400] = (240, 170, 40)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="session", params=["w8a8", "w8a8->w4a4 T=3 recurrent", "w8a8 dynamic ds=2%"])
def plan(request):
    """A plan of pools, without and with state, range updates and sparse parts."""
    return lower(vq.quantize(captured(Pools), request.param, moving_frames(8, 12)))
