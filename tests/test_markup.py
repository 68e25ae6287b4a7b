"""What notebooks show: names are text and no markup, empty facts are left out; each result has its own."""

from typing import Any

import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.markup import facts, table
from videoquant.report.answer import Answer


def test_names_are_escaped_and_numbers_stand_right() -> None:
    text = table(["a<b", "n"], [["x & y", "1"]])
    assert "<th style='text-align:left'>a&lt;b</th><th style='text-align:right'>n</th>" in text
    assert "<td style='text-align:left'>x &amp; y</td><td style='text-align:right'>1</td>" in text


def test_what_is_empty_is_left_out() -> None:
    text = facts("<net>", {"layers": "3", "task": ""})
    assert text.startswith("<strong>&lt;net&gt;</strong>") and "layers" in text and "task" not in text


def test_networks_and_quantized_ones() -> None:
    network = small_network()
    assert "1×3×16×16" in network._repr_html_() and " MACs" in network._repr_html_()
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", moving_frames(8))
    text = quantized._repr_html_()
    assert "w8a8-&gt;w4a4 T=3" in text and f"{len(quantized.points)} quantized" in text


def test_an_answer_and_its_commands() -> None:
    text = Answer(None, ["Take `w8a8->w4a4`: 1 < 2."], "videoquant quantize 'a b'")._repr_html_()
    assert text == (
        "<p>Take <code>w8a8-&gt;w4a4</code>: 1 &lt; 2.</p><pre>videoquant quantize &#x27;a b&#x27;</pre>"
    )


def test_a_comparison_and_what_it_recommends() -> None:
    network, frames = small_network(), moving_frames(6)
    pictures: Any = [frame[0].permute(1, 2, 0).numpy() for frame in frames]
    pictures = [(255 * (p - p.min()) / (p.max() - p.min())).astype("uint8") for p in pictures]
    quantized = [vq.quantize(network, scheme, pictures) for scheme in ("fp32", "w8a8")]
    result = vq.compare(network, quantized, pictures, source="made <here>")
    text = result._repr_html_()
    assert "on made &lt;here&gt;" in text and "<td style='text-align:right'>exact</td>" in text
    assert "too few" in vq.recommend(result, keep="SQNR >= 1").sentences[0]
    with pytest.raises(vq.SchemeError, match="--target ms"):
        vq.recommend(result, target="ms")
