"""Colours, markers and families of schemes."""

from __future__ import annotations

import pytest

from videoquant.comparison import DEFAULT_SCHEMES, Row
from videoquant.report.plot_style import family, series_styles


def test_every_scheme_has_its_own_colour_and_each_family_its_marker() -> None:
    drawn = series_styles([Row(scheme) for scheme in DEFAULT_SCHEMES])
    assert len({look.color for look in drawn}) == len(DEFAULT_SCHEMES)
    assert [look.marker for look in drawn] == ["*", *"oooo", *"^^^^^^", *"DD"]
    assert drawn[5].label == "w8a8→w4a8 T=3"


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
