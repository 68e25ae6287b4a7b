"""Words of a scheme that name layers."""

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_schemes import named
from videoquant.axes import Bits, Residual
from videoquant.errors import SchemeError
from videoquant.presets import CONVENTIONS
from videoquant.ranges.sources import Predicted
from videoquant.schemes import Scheme


@given(named, st.sampled_from(["keep_float", "quantize"]))
def test_layers_by_name_come_back(layers, field):
    scheme = Scheme(**{field: layers})
    assert Scheme.parse(str(scheme)) == scheme
    assert Scheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme


def test_a_layer_is_quantized_or_it_is_not():
    with pytest.raises(SchemeError, match=r"^keep-float= and quantize= both name 'a'$"):
        Scheme.parse("w8a8 keep-float=a,b quantize=a")


def test_a_convention_says_what_the_text_does_not():
    resq, qpp = (partial(Scheme.parse, convention=name) for name in ("resq", "qpp"))
    assert resq("w4a4") == Scheme.parse("w4a4 head=2 tail=2 pool=mean no-bias-correction")
    assert resq("w8a8->w4a4 head=4") == Scheme.parse(
        "w8a8->w4a4 head=4 tail=2 pool=mean no-bias-correction always-residual"
    )
    assert resq("w8a8 T=2").time == Residual(Bits(8, 8), 2, frame_codes=False)
    assert qpp("w8a4 qpp minmax") == Scheme.parse(
        "w8a4 qpp=5 at=first-relu asymmetric minmax head=fp tail=fp no-bias-correction"
    )
    assert qpp("w8a4 qpp=8").ranges == Predicted(8)
    assert qpp("fp32") == resq("fp32") == Scheme.parse("fp32")
    assert resq("qpp-espcn") == Scheme.parse("qpp-espcn pool=mean")  # as its estimator does
    assert Scheme.parse("w4a4", "default") == Scheme.parse("w4a4")
    with pytest.raises(SchemeError, match="convention 'paper': it must be default, resq or qpp"):
        Scheme.parse("w8a8", "paper")


@given(st.sampled_from(sorted(CONVENTIONS)), st.sampled_from(["w8a8", "w8a8->w4a4 T=2", "w8a4 qpp ds=1%"]))
def test_what_a_convention_says_is_in_the_text(convention, text):
    scheme = Scheme.parse(text, convention)
    assert Scheme.parse(str(scheme)) == scheme == Scheme.parse(str(scheme), convention)
