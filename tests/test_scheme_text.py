"""Words of a scheme that name layers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_schemes import named
from videoquant.errors import SchemeError
from videoquant.schemes import Scheme


@given(named, st.sampled_from(["keep_float", "quantize"]))
def test_layers_by_name_come_back(layers, field):
    scheme = Scheme(**{field: layers})
    assert Scheme.parse(str(scheme)) == scheme
    assert Scheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme


def test_a_layer_is_quantized_or_it_is_not():
    with pytest.raises(SchemeError, match=r"^keep-float= and quantize= both name 'a'$"):
        Scheme.parse("w8a8 keep-float=a,b quantize=a")
