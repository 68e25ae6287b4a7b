"""The section of the page to look at frames: a film of all schemes, a scrubber, a slider to fp32."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from PIL import Image

from videoquant.comparison import Comparison
from videoquant.report.film import RATE, film
from videoquant.report.frames_chart import facts_of, frame_name, range_on, telling, worst_on
from videoquant.report.label_table import labels_of
from videoquant.report.palette import family
from videoquant.tasks.drawing import palette

THUMB_SIDE = 200  # pixels of the longer side of what one clicks on
_DRAWN = {
    "segmentation": "What the network takes for foreground is tinted, and its border drawn; of several "
    "classes each has its colour.",
    "pose": "Keypoints and the bones between them: of the person’s left in orange, of the right in blue, of "
    "neither in green.",
    "landmarks": "Landmarks as dots.",
    "detection": "A box around what is found, in its class’s colour, with the class’s name and the score.",
    "classification": "The most probable class and its probability.",
    "super_resolution": "The picture that the network makes of the small one.",
}


def viewer(comparison: Comparison) -> tuple[str, dict[str, Any] | None]:
    """The section, and what page.js must know of it; ("", None) where nothing was drawn.

    The reference, fp32 where it was run, lies on the left of the slider.
    """
    rows = [row for row in comparison.rows if row.pictures]
    reels = film(rows)
    if not reels.pictures or not rows:
        return "", None
    places = [comparison.drawn[picture] for picture in reels.places]
    base = next((i for i, row in enumerate(rows) if family(row.scheme) == "float"), 0)
    data = {
        "rate": RATE,
        "base": base,
        "frames": [frame_name(comparison, place) for place in places],
        "schemes": [row.name for row in rows],
        "at": places,
        "facts": [[facts_of(comparison, row, place) for row in rows] for place in places],
    }
    fp32 = escape(rows[base].name)
    encoded = base64.b64encode(reels.data).decode("ascii")
    width, height = reels.size
    thumbs = "\n".join(_thumb(comparison, picture, reels.places) for picture in telling(comparison))
    pick = "Where the schemes differ most:" if len(places) > 1 else ""
    section = f"""<section aria-labelledby='look'>
<h2 id='look'>Frames to look at</h2>
<div class='viewer' style='--aspect:{width}/{height}'>
<div class='screen' id='screen'>
<canvas id='left' width='{width}' height='{height}' role='img' aria-label='{fp32}'></canvas>
<canvas id='right' width='{width}' height='{height}' role='img' aria-label='the chosen scheme'></canvas>
<div class='divider' aria-hidden='true'></div>
<span class='tag tag-left'>{fp32}</span><span class='tag tag-right' id='tag'></span>
</div>
<div class='controls'>
<label>divider <input type='range' id='divider' min='0' max='100' value='50'></label>
<label>frame <input type='range' id='scrubber' min='0' max='{len(places) - 1}' value='0'></label>
<p id='facts' class='facts' aria-live='polite'></p>
</div>
</div>
<p class='thumbs-title'>{pick}</p>
<div class='thumbs'>
{thumbs}
</div>
<p class='caption'>{escape(_caption(comparison))}</p>
{_class_names(comparison)}
<script type='application/octet-stream' id='film'>{encoded}</script>
</section>"""
    return section, data


def _thumb(comparison: Comparison, picture: int, in_film: list[int]) -> str:
    """A button that goes to a frame: the picture of the scheme that is furthest off there."""
    place = comparison.drawn[picture]
    row = worst_on(comparison, place)
    nearest = min(range(len(in_film)), key=lambda i: abs(in_film[i] - picture))
    about = range_on(comparison, place)
    return (
        f"<button type='button' class='thumb' data-frame='{nearest}' data-scheme='{escape(row.name)}'>"
        f"<img src='{_small(row.pictures[picture])}' alt=''>"
        f"<span>{escape(frame_name(comparison, place))}, <code>{escape(row.name)}</code></span>"
        f"<span class='muted'>{escape(about)}</span></button>"
    )


def _small(picture: bytes) -> str:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((THUMB_SIDE, THUMB_SIDE))
    file = io.BytesIO()
    image.save(file, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _caption(comparison: Comparison) -> str:
    drawn = _DRAWN.get(comparison.task or "", "")
    return (
        f"{drawn} Drag the divider, or use the arrow keys on the sliders. Beside the picture: how close this "
        "frame of the scheme is to that of fp32."
    ).strip()


def _class_names(comparison: Comparison) -> str:
    """Which colour is which class, where labels name them."""
    names = labels_of(comparison)
    if comparison.task != "segmentation" or len(names) < 3:
        return ""
    colors = palette(len(names))
    swatches = "".join(
        f"<li><i style='background:rgb({r},{g},{b})'></i>{escape(name)}</li>"
        for name, (r, g, b) in zip(names, colors.tolist(), strict=True)
    )
    return f"<ul class='swatches'>{swatches}</ul>"
