"""Families of schemes."""

from __future__ import annotations

import pytest

from videoquant.report.plot_style import family


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
