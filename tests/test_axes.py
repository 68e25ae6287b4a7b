"""The word `regions` of a scheme: what it means, and what is refused. Round trips: test_schemes.py."""

import numpy as np
import pytest

from videoquant.axes import Bits, Regions, Residual
from videoquant.errors import SchemeError
from videoquant.schemes import Scheme


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("w8a8 regions", Scheme(regions=Regions())),
        ("margin=1 w8a8->w4a4 regions trigger=4.5", Scheme(time=Residual(), regions=Regions(4.5, margin=1))),
    ],
)
def test_text_means(text, scheme):
    assert Scheme.parse(text) == scheme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w8a8 dynamic regions", "regions and dynamic exclude each other"),
        ("w8a4 qpp regions", "regions and qpp exclude each other"),
        ("w8a8 memory=3", "memory= is of the rule of regions; it needs the word regions"),
        ("w8a8 regions trigger=0", "trigger=0: it is a multiple of the noise, finite and above 0"),
        ("w8a8 regions trigger=inf", "trigger=inf: it is"),
        ("w8a8 regions trigger=nan", "trigger=nan: it is"),
        ("w8a8 regions trigger=much", "holds no number"),
        ("w8a8 regions floor=0", "floor=0: it is a number of levels, from 1 to 255"),
        ("w8a8 regions floor=2.5", "holds no whole number"),
        ("w8a8 regions margin=-1", "margin=-1"),
        ("w8a8 regions memory=0", "memory=0: it is a number of frames, 1 or more"),
        ("w8a8 regions rest=-1", "rest=-1: it is a number of frames, 0 or more"),
        ("w8a8 regions refresh=0", "refresh=0"),
        ("w8a8 regions grow=-1", "grow=-1"),
        ("w8a8 regions block=18", "block=18: it must be a multiple of 4 pixels, from 8 to 64"),
        ("w8a8 regions block=4", "block=4"),
        ("w8a8 regions regions", "a second time"),
    ],
)
def test_mistakes_get_one_helpful_line(text, message):
    with pytest.raises(SchemeError) as caught:
        Scheme.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Regions("many"), "trigger='many': it must be a number"),
        (lambda: Regions(memory=2.5), "memory=2.5: it must be a whole number"),
    ],
)
def test_values_of_other_kinds_are_refused(make, message):
    with pytest.raises(SchemeError) as caught:
        make()
    assert message in str(caught.value)


def test_numbers_of_any_kind_are_plain_ones():
    regions = Regions(np.float32(4), np.int8(20), block=np.uint8(32))
    assert str(Scheme(regions=regions)) == "w8a8 regions trigger=4 floor=20 block=32"


def test_json_of_older_files_has_no_regions():
    stored = Scheme(Bits(4, 4)).to_dict()
    assert stored.pop("regions", 0) is None
    assert Scheme.from_dict(stored) == Scheme(Bits(4, 4))
