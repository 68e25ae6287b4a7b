"""Schemes as values: text and JSON round-trip, and every mistake gets a line that helps.

Long because every word of a scheme has its cases in one table.
"""

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.axes import Bits, DenseSparse, Frame, Regions, Residual, Uniform
from videoquant.errors import SchemeError
from videoquant.presets import PRESETS
from videoquant.ranges.estimators import ACIQ, MSE, ByWidth, LeastPower, MinMax, Pooling, Quantile
from videoquant.ranges.sources import Dynamic, Predicted, Static
from videoquant.scheme_text import read_rule, split_schemes, write_rule
from videoquant.schemes import Scheme

positions = st.sampled_from([("first-relu",), ("input", "first-relu"), ("auto:3",)])
# Names of layers as exporters write them, and all others, in pieces that mean something in a scheme's text.
pieces = st.sampled_from(
    [
        *",\" ;='\\\n\t()[]{}/.:→é層",
        "->",
        " -> ",
        "Input",
        "auto",
        "first-relu",
        "w8a8",
        "\u2028",
        "conv",
        "at=",
    ]
)
names = st.text(min_size=1) | st.lists(pieces, min_size=1, max_size=6).map("".join)
named = st.lists(names.filter(lambda name: name.partition(":")[0] != "auto"), min_size=1, max_size=3).map(
    tuple
)
widths = st.sampled_from([2, 3, 4, 5, 6, 7, 8, 32])
bits = st.builds(Bits, widths, widths)
adaptive = st.builds(
    Residual,
    bits.filter(lambda b: b.activations != 32),
    st.integers(1, 100),
    st.booleans(),
    st.just(True),
    st.integers(0, 9),
)
plain = st.builds(Residual, bits, st.integers(1, 100), st.booleans())
pairwise = st.builds(Residual, bits, st.integers(1, 100), quantized_reference=st.booleans())
# Adaptive widths and Dense + Sparse exclude each other; every other combination is a scheme.
coded = st.one_of(
    st.tuples(
        st.one_of(st.builds(Uniform), st.builds(DenseSparse, st.floats(0.0001, 0.5))),
        st.one_of(st.builds(Frame), plain, pairwise),
    ),
    st.tuples(st.builds(Uniform), adaptive),
)


rules = st.builds(
    Regions,
    st.floats(0, 2**31, exclude_min=True),
    st.integers(1, 255),
    st.integers(0, 99),
    st.integers(1, 999),
    st.integers(0, 99),
    st.integers(1, 999),
    st.integers(0, 9),
    st.sampled_from([8, 16, 20, 64]),
)


def scheme_of(bits, ranges, coded, *rest):
    *rest, regions, pooling, bias_correction, equalize, by_outputs = rest
    regions = regions if ranges == Static() else None
    equalize = equalize and ranges.calibrates and rest[1] == "per-channel"
    scheme = Scheme(bits, ranges, *coded, *rest, regions, pooling, bias_correction, equalize=equalize)
    try:
        return replace(scheme, by_outputs=by_outputs)
    except SchemeError:  # something else says what it would choose
        return scheme


def schemes_at(positions):
    return st.builds(
        scheme_of,
        bits,
        st.one_of(st.builds(Static), st.builds(Dynamic), st.builds(Predicted, st.integers(1, 49), positions)),
        coded,
        st.one_of(
            st.builds(ByWidth),
            st.builds(MSE),
            st.builds(MinMax),
            st.builds(ACIQ),
            st.builds(LeastPower, st.floats(1, 8)),
            st.builds(Quantile, st.floats(0.5001, 1)),
        ),
        st.sampled_from(["per-channel", "per-tensor", "asymmetric"]),
        widths,
        widths,
        st.one_of(st.none(), st.builds(Regions), rules),
        st.sampled_from([None, *get_args(Pooling)]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )


schemes = schemes_at(positions)


@given(schemes)
def test_json_round_trips(scheme):
    assert Scheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme


@given(schemes, st.randoms())
def test_text_round_trips_in_any_order_and_case(scheme, random):
    words = str(scheme).split()
    random.shuffle(words)
    assert Scheme.parse(" ".join(words).upper()) == scheme
    assert str(Scheme.parse(str(scheme))) == str(scheme)


@given(st.lists(schemes_at(named), min_size=1, max_size=3), st.randoms())
def test_whatever_layers_are_called_the_text_comes_back(several, random):
    for scheme in several:
        text = str(scheme)
        assert Scheme.parse(text) == scheme
        assert text.isprintable()  # one line, in tables and files too
    assert [*map(Scheme.parse, split_schemes("; ".join(map(str, several))))] == several


@pytest.mark.parametrize(
    "words", ["equalize", "by-width", "pool=mean", "dynamic", "qpp", "ds=1%", "T=3", "quantile=0.99"]
)
def test_by_outputs_goes_with_no_word_that_it_would_choose(words):
    with pytest.raises(SchemeError, match="by-outputs chooses how ranges are measured"):
        Scheme.parse(f"w8a8 by-outputs {words}")


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("w8a8", "w8a8 pool=mean"),
        ("w4a4", "w4a4 pool=mean"),  # its first and last layers have 8 bits
        ("w8a8->w4a4 T=3", "w8a8->w4a4 T=3 pool=mean"),
        ("w8a8 pool=largest", "w8a8 pool=largest"),
        ("w8a8 minmax", "w8a8 minmax"),
        ("w8a8 by-width", "w8a8 by-width"),
        ("w8a8 ds=1%", "w8a8 ds=1%"),
        ("w8a8 dynamic", "w8a8 dynamic"),
        ("w8a8 by-outputs", "w8a8 by-outputs"),
        ("fp32", "fp32"),
    ],
)
def test_a_stored_scheme_calibrates_as_it_did(text, now):
    """Version 1 is from before least squares was pooled by layers where nothing is said."""
    assert str(Scheme.from_dict(Scheme.parse(text).to_dict() | {"version": 1})) == now


def test_least_squares_by_name_is_what_it_was():
    assert Scheme.parse("w8a8 mse") == Scheme.parse("w8a8 pool=mean") != Scheme.parse("w8a8")
    assert Scheme.parse("w8a8 mse pool=largest") == Scheme.parse("w8a8 pool=largest")


def test_numbers_of_any_kind_are_plain_ones():
    """As they come out of NumPy's ranges, say."""
    bits, four = Bits(np.int64(8), np.int8(4)), np.uint8(4)
    time = Residual(bits, four, adaptive=True, tolerance=np.int32(1))
    scheme = Scheme(
        bits, Predicted(np.int64(7), ["conv1"]), Uniform(), time, Quantile(np.float64(0.9)), head=four
    )
    assert Scheme.parse(str(scheme)) == scheme
    assert Scheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme
    assert str(Scheme(representation=DenseSparse(np.float64(0.03)))) == "w8a8 ds=3%"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bits(8.0, 8), "w=8.0: it must be a whole number"),
        (lambda: Residual(period=2.5), "T=2.5: it must be a whole number"),
        (lambda: Scheme(tail="fp"), "tail='fp': it must be a whole number"),
        (lambda: Predicted(5, "conv1"), r"positions are a tuple of names: ('conv1',)"),
    ],
)
def test_values_of_other_kinds_are_refused(make, message):
    with pytest.raises(SchemeError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("conv1", "conv1"),
        ("/model.0/conv=[3]", "/model.0/conv=[3]"),
        ("head, left", '"head, left"'),
        ("a->b", '"a->b"'),
        ('say "x"', r'"say \"x\""'),
        ("Input", '"Input"'),  # a layer, not the network's input
        ("a\u2028b", r'"a\u2028b"'),
        ("autoencoder.0", "autoencoder.0"),
    ],
)
def test_names_are_quoted_only_where_they_must_be(name, written):
    scheme = Scheme(ranges=Predicted(5, (name, "conv2")))
    assert str(scheme) == f"w8a8 qpp=5 at={written},conv2"
    assert Scheme.parse(str(scheme)) == scheme


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("w8a8", Scheme()),
        ("fp32", Scheme(Bits(32, 32))),
        ("w8a8->w4a4 T=3", Scheme(time=Residual(Bits(4, 4), 3))),
        ("T=3 w8a8 → w4a4", Scheme(time=Residual(Bits(4, 4), 3))),
        ("w8a8->w4a4", Scheme(time=Residual(Bits(4, 4), 3))),
        ("w4a4 t=6", Scheme(Bits(4, 4), time=Residual(Bits(4, 4), 6))),
        ("w8a8->w4a8 adaptive tau=2", Scheme(time=Residual(Bits(4, 8), 3, adaptive=True, tolerance=2))),
        ("w8a8->w8a4 recurrent", Scheme(time=Residual(Bits(8, 4), 3, recurrent=True))),
        ("w8a4 dynamic quantile=0.9998", Scheme(Bits(8, 4), Dynamic(), estimator=Quantile(0.9998))),
        ("w8a4 qpp ds=1%", Scheme(Bits(8, 4), Predicted(), DenseSparse(0.01))),
        ("w8a4 qpp=5", Scheme(Bits(8, 4), Predicted(5, ("auto:12",)))),
        ("w8a4 at=auto:12 qpp=49", Scheme(Bits(8, 4), Predicted())),
        ("w8a4 qpp=8 at=auto:4", Scheme(Bits(8, 4), Predicted(8, ("auto:4",)))),
        ("w8a4 qpp AT=Input,Conv_1", Scheme(Bits(8, 4), Predicted(49, ("input", "Conv_1")))),
        (
            "qpp-espcn",
            Scheme(
                Bits(8, 4),
                Predicted(5, ("input",)),
                estimator=Quantile(0.9998),
                bias_correction=False,
                weights="asymmetric",
                head=2,
                tail=2,
            ),
        ),
        (
            "QPP-HRNET-COFW static ds=1%",
            Scheme(
                Bits(8, 4),
                Static(),
                DenseSparse(0.01),
                estimator=Quantile(0.9991),
                bias_correction=False,
                weights="asymmetric",
                head=32,
                tail=32,
            ),
        ),
        ("w8a4 ds=0.03", Scheme(Bits(8, 4), representation=DenseSparse(0.03))),
        ("w4a4 per-tensor head=fp tail=2", Scheme(Bits(4, 4), weights="per-tensor", head=32, tail=2)),
        ("w8a8 regions", Scheme(regions=Regions())),
        ("margin=1 w8a8->w4a4 regions trigger=4.5", Scheme(time=Residual(), regions=Regions(4.5, margin=1))),
    ],
)
def test_text_means(text, scheme):
    assert Scheme.parse(text) == scheme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w8a8 dynmic", "unknown word 'dynmic'; did you mean dynamic"),
        ("w8a8 residul", "unknown word 'residul'"),
        ("w8a8 pertensor", "per-tensor"),
        ("w9a8", "weights at 9 bits"),
        ("w8a1", "activations at 1 bits"),
        ("w8a8->w4a16", "activations at 16 bits"),
        ("w8", "is no bit-width"),
        ("w8a8->", "is no bit-width"),
        ("", "names no bit-widths"),
        ("dynamic", "names no bit-widths"),
        ("w8a8 T=0", "T=0: the period"),
        ("w8a8 T=-2", "T=-2: the period"),
        ("w8a8 T=two", "holds no whole number of frames"),
        ("w8a8 tau=3", "needs adaptive"),
        ("w8a8 adaptive tau=-1", "0 or more"),
        ("w8a8->fp32 adaptive", "no codes to fit"),
        ("w8a8 w4a4", "a second time"),
        ("w8a8 static dynamic", "a second time"),
        ("w8a8 policy", "chooses among several quantized networks"),
        ("w8a8 ds=0%", "above 0 and at most 50%"),
        ("w8a8 ds=51%", "above 0 and at most 50%"),
        ("w8a8 adaptive ds=1%", "exclude each other"),
        ("w8a8 ds=lots", "holds no share"),
        ("w8a8 quantile=0.4", "α must be above 0.5"),
        ("w8a8 qpp=0", "the number of features is 1 to 49"),
        ("w8a8 qpp=50", "the number of features is 1 to 49"),
        ("w8a8 at=input", "it needs the word qpp"),
        ("w8a8 dynamic at=input", "it needs the word qpp"),
        ("w8a8 qpp at=", "names no position"),
        ("w8a8 qpp at=conv1,,conv2", "names no position"),
        ('w8a8 qpp at="conv', "no name in quotes"),
        ('w8a8 qpp at="a"b', "no name in quotes"),
        ('w8a8 qpp at=""', "names no position"),
        ("w8a8 qpp at=auto", "write auto:N"),
        ("w8a8 qpp at=auto:0", "write auto:N"),
        ("w8a8 qpp at=auto:x", "write auto:N"),
        ("w8a8 qpp at=auto:2,conv1", "write auto:N"),
        ("qpp-resnet-imagenet static dynamic", "a second time"),
        ("qpp-resnet", "did you mean qpp-"),
        ("w8a8 head=9", "head=9"),
        ("w8a8 recurrent float-reference", "no unquantized reference"),
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


@given(rules)
def test_a_rule_alone_round_trips(rule):
    assert read_rule(write_rule(rule)) == rule
    assert str(Scheme(regions=rule)) == f"w8a8 {write_rule(rule)}"


@pytest.mark.parametrize("text", ["", "floor=24", "regions dynamic", "regions T=3", "w4a4 regions"])
def test_a_rule_is_words_of_regions_alone(text):
    with pytest.raises(SchemeError):
        read_rule(text)


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text):
    try:
        scheme = Scheme.parse(text)
    except SchemeError:
        return
    assert Scheme.parse(str(scheme)) == scheme


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_schemes_of_the_paper(name):
    scheme = Scheme.parse(name)
    assert scheme.bits == Bits(8, 4) and isinstance(scheme.ranges, Predicted)
    assert Scheme.parse(str(scheme)) == scheme


@pytest.mark.parametrize("change", [{"version": 3}, {"ranges": {"kind": "Magic"}}, {"bits": {"weight": 8}}])
def test_json_that_is_no_scheme_is_refused(change):
    with pytest.raises(SchemeError):
        Scheme.from_dict(Scheme().to_dict() | change)
