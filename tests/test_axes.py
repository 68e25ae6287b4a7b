"""The parts of a scheme as values. Their text: test_schemes.py."""

import numpy as np
import pytest

from videoquant.axes import Bits, Regions
from videoquant.errors import SchemeError
from videoquant.schemes import Scheme


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
