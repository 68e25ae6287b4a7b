"""Time, traffic and energy by hand, and what must hold for every scheme."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.costs.chips import ROUND, one_conv, scheme
from tests.networks import small_network
from videoquant.costs.simulator import fallback_sentences, frame_cost, precisions, scheme_cost
from videoquant.costs.workload import workload

MACS, WEIGHTS, INPUTS, OUTPUTS = 8 * 100 * 16 * 9, 8 * 16 * 9, 1600, 800
WIDE = replace(ROUND, buffer=1e9)  # holds everything


@pytest.fixture(scope="module")
def conv():
    return workload(one_conv())


@pytest.fixture(scope="module")
def small():
    return workload(small_network(64))


def total(chip, work, text, is_key=True, **recorded):
    cost = frame_cost(chip, work, scheme(text), is_key, **recorded)
    return {
        name: float(getattr(cost, name).sum()) for name in ("compute", "memory", "seconds", "bytes", "joules")
    }


def test_frame_by_hand(conv):
    # The buffer of 1,000 bytes holds neither the 1,152 of the weights nor the 1,600 of the input, so that
    # the larger is read 1.152 times; of the input 600 bytes are spilled, of the output none.
    again = (WEIGHTS / 1000 - 1) * INPUTS
    traffic = WEIGHTS + again + (INPUTS - 1000)
    on_chip = WEIGHTS + again + INPUTS + OUTPUTS
    assert total(ROUND, conv, "w8a8") == pytest.approx(
        {
            "compute": MACS / 1e9,
            "memory": traffic / 1e9,
            "seconds": MACS / 1e9 + 1e-6,
            "bytes": traffic,
            "joules": MACS * 2e-12 + traffic * 100e-12 + on_chip * 10e-12,
        }
    )


def test_the_slower_of_computing_and_memory_counts(conv):
    slow = replace(ROUND, bandwidth=1e6)
    cost = total(slow, conv, "w8a8")
    assert cost["memory"] > cost["compute"] and cost["seconds"] == pytest.approx(cost["memory"] + 1e-6)


def test_half_the_bits_take_half_the_bytes_and_the_faster_peak(conv):
    whole, half = total(WIDE, conv, "w8a8"), total(WIDE, conv, "w4a4")
    assert half["compute"] == pytest.approx(whole["compute"] / 2)
    tiny = replace(ROUND, buffer=1e-3)
    assert total(tiny, conv, "w4a32")["bytes"] > total(tiny, conv, "w4a8")["bytes"]


@pytest.mark.parametrize(
    ("inputs", "outputs", "groups", "share"),
    [(8, 8, 1, 1.0), (16, 8, 1, 1.0), (4, 8, 1, 0.5), (12, 8, 1, 0.75), (8, 12, 1, 0.75), (8, 8, 8, 1 / 8)],
)
def test_layers_that_do_not_fill_the_array_waste_it(inputs, outputs, groups, share):
    work = workload(one_conv(inputs, outputs, groups=groups))
    assert total(ROUND, work, "w8a8")["compute"] == pytest.approx(float(work.macs[0]) / 1e9 / share)


def test_a_region_by_hand(conv):
    # A quarter of the pixels: of everything but the weights. What is held of the output does not fit either.
    (name,) = conv.names
    quarter = total(ROUND, conv, "w8a8 regions", computed={name: 0.25})
    traffic = WEIGHTS + OUTPUTS / 4
    on_chip = WEIGHTS + OUTPUTS / 4 + INPUTS / 4 + OUTPUTS / 4
    assert quarter == pytest.approx(
        {
            "compute": MACS / 4 / 1e9,
            "memory": traffic / 1e9,
            "seconds": MACS / 4 / 1e9 + 1e-6,
            "bytes": traffic,
            "joules": MACS / 4 * 2e-12 + traffic * 100e-12 + on_chip * 10e-12,
        }
    )
    assert set(total(ROUND, conv, "w8a8 regions", computed={name: 0.0}).values()) == {0.0}
    wide = total(WIDE, conv, "w8a8 regions", computed={name: 1.0})
    assert wide["seconds"] == total(WIDE, conv, "w8a8")["seconds"]


def test_regions_cost_the_mean_of_their_frames(small):
    text = "w8a8->w4a4 T=3 regions"
    half = dict.fromkeys(small.names, 0.5)
    frames = [(True, {}), (False, half), (False, {})]
    found = scheme_cost(ROUND, small, scheme(text), frames=frames)
    seconds = [total(ROUND, small, text, key, computed=computed)["seconds"] for key, computed in frames]
    assert found.ms == pytest.approx(1e3 * sum(seconds) / 3)
    assert found.ms < scheme_cost(ROUND, small, scheme(text)).ms


def test_missing_precisions_fall_back_and_say_so(conv):
    cost = scheme_cost(ROUND, conv, scheme("w4a8"))
    assert cost.fallbacks == {(4, 8): (8, 8)}
    assert total(ROUND, conv, "w4a8")["compute"] == total(ROUND, conv, "w8a8")["compute"]
    assert fallback_sentences(ROUND, cost.fallbacks) == ["round computes w4a8 as w8a8: it has nothing lower."]
    fixed = replace(ROUND, peak={(8, 8): 1e9}, energy=None)
    cost = scheme_cost(fixed, conv, scheme("fp32"))
    assert (cost.ms, cost.mj, cost.frames_per_second) == (None, None, None)
    assert "nothing for w32a32" in fallback_sentences(fixed, cost.fallbacks)[0]
    assert scheme_cost(fixed, conv, scheme("w8a8")).mj is None


def test_residual_frames_pay_for_their_state(conv):
    state = INPUTS * 8 / 8 + OUTPUTS * 32 / 8  # the reference at 8 bits, the key output as sums
    text = "w8a8->w8a8 T=3"
    plain, key, residual = (
        total(ROUND, conv, "w8a8"),
        total(ROUND, conv, text),
        total(ROUND, conv, text, False),
    )
    assert key["bytes"] - plain["bytes"] == pytest.approx(state)
    assert residual["bytes"] - plain["bytes"] == pytest.approx(state)
    recurrent = total(ROUND, conv, f"{text} recurrent", False)  # reads the state and writes the next
    assert recurrent["bytes"] - plain["bytes"] == pytest.approx(2 * state)
    floating = total(ROUND, conv, f"{text} float-reference", False)
    assert floating["bytes"] - residual["bytes"] == pytest.approx(INPUTS * (32 - 8) / 8)
    assert total(ROUND, conv, "w8a8->w8a8 T=1") == plain
    assert total(WIDE, conv, text, False)["bytes"] == 0


def test_residual_frames_move_whole_values(conv):
    """Between layers stand values, not residuals: 4-bit residuals compute faster and move as much."""
    eight, four = (total(ROUND, conv, f"w8a8->w8a{bits} T=2", False) for bits in (8, 4))
    assert four["bytes"] == eight["bytes"]


def test_cycle_averages_keyframe_and_residuals(conv):
    text = "w8a8->w4a4 T=4"
    key, residual = (total(ROUND, conv, text, is_key) for is_key in (True, False))
    cost = scheme_cost(ROUND, conv, scheme(text))
    assert cost.ms == pytest.approx(1e3 * (key["seconds"] + 3 * residual["seconds"]) / 4)
    assert cost.mj == pytest.approx(1e3 * (key["joules"] + 3 * residual["joules"]) / 4)
    assert cost.frames_per_second == pytest.approx(1e3 / cost.ms)


def test_recorded_shares_decide_what_adaptive_layers_compute(conv):
    text, name = "w8a8->w4a8 T=3 adaptive", conv.names[0]
    shares = {name: {0: 0.5, 4: 0.3, 8: 0.2}}
    found = total(ROUND, conv, text, False, shares=shares)["compute"]
    assert found == pytest.approx(MACS * (0.3 / 2e9 + 0.2 / 1e9))
    nothing = frame_cost(ROUND, conv, scheme(text), False, {name: {0: 1.0}})
    assert nothing.compute.sum() == 0 and nothing.macs.sum() == 0
    assert precisions(conv, scheme(text), shares) == [(8, 8), (4, 8), (4, 4)]


def test_sparse_part_computes_in_sixteen_bits(conv):
    dense, sparse = total(ROUND, conv, "w8a8"), total(ROUND, conv, "w8a8 ds=2%")
    assert sparse["compute"] - dense["compute"] == pytest.approx(MACS * 0.02 * 2 / 0.5e9)
    measured = total(ROUND, conv, "w8a8 ds=2%", density=0.05)
    assert measured["compute"] - dense["compute"] == pytest.approx(MACS * 0.05 * 2 / 0.5e9)
    assert sparse["bytes"] > dense["bytes"]
    assert (16, 16) in precisions(conv, scheme("w8a8 ds=2%"))


def test_dynamic_ranges_write_and_read_sums(conv):
    sums = 4 * INPUTS - ROUND.buffer  # spilled
    more = total(ROUND, conv, "w8a8 dynamic")["bytes"] - total(ROUND, conv, "w8a8")["bytes"]
    assert more == pytest.approx(2 * sums)
    assert total(ROUND, conv, "fp32 dynamic") == total(ROUND, conv, "fp32")


bits = st.integers(2, 8)


@given(bits, bits, bits, bits)
def test_fewer_bits_never_take_longer_or_more(small, weights, activations, fewer_weights, fewer_activations):
    more = total(ROUND, small, f"w{weights}a{activations}")
    less = total(ROUND, small, f"w{min(weights, fewer_weights)}a{min(activations, fewer_activations)}")
    for name, value in less.items():
        assert value <= more[name] * (1 + 1e-12)


@given(st.floats(0.5, 4), st.sampled_from(["peak", "bandwidth", "buffer"]))
def test_a_better_chip_is_never_slower(small, factor, what):
    better = {p: v * max(1, factor) for p, v in ROUND.peak.items()} if what == "peak" else None
    chip = replace(ROUND, **{what: better or getattr(ROUND, what) * max(1, factor)})
    for text in ("w8a8", "w4a4", "w8a8->w4a4 T=3"):
        assert scheme_cost(chip, small, scheme(text)).ms <= scheme_cost(ROUND, small, scheme(text)).ms * (
            1 + 1e-12
        )


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_shares_between_two_widths_cost_between_them(small, percent):
    share = {name: {4: percent / 100, 8: 1 - percent / 100} for name in small.names}
    text = "w4a8->w4a8 T=2 adaptive"
    found = total(ROUND, small, text, False, shares=share)["compute"]
    four, eight = (total(ROUND, small, f"w4a{b}")["compute"] for b in (4, 8))
    assert found == pytest.approx(eight + (four - eight) * percent / 100)
