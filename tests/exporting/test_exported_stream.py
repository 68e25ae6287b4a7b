"""A network that is exported and run elsewhere is a stream as its simulation is."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.data.video import Frame
from videoquant.exporting import runtime_stream
from videoquant.exporting.exported_stream import RUNTIMES, ExportedStream
from videoquant.tasks.sqnr import Sqnr


def film(indexes):
    """Frames with those indexes; where they do not follow each other, a video was sought in."""
    pictures = moving_frames(max(indexes) + 1)
    return [
        Frame((255 * pictures[i][0].permute(1, 2, 0).clamp(0, 1)).to(torch.uint8).numpy(), i) for i in indexes
    ]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("text", ["w8a8", "w8a8->w8a8 T=3", "w8a4 ds=3%"])
def test_it_gives_and_says_what_the_simulation_does(runtime, text):
    pytest.importorskip(runtime)
    made = vq.quantize(small_network(), text, moving_frames(24))
    stream, simulated, sqnr = ExportedStream(made, runtime, 1), made.stream(), Sqnr()
    for frame in film([0, 1, 2, 3, 4, 9, 10, 12]):
        expected, found = simulated.run(frame), stream.run(frame)
        stream.count(frame)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            sqnr.update(value, found[name])
        assert stream.report.is_key == simulated.report.is_key
        assert stream.report.density == simulated.report.density
    assert sqnr.result() > (20 if runtime == "openvino" else 35)  # its sums may saturate


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_that_is_not_there(runtime, monkeypatch):
    monkeypatch.setattr(runtime_stream, "find_spec", lambda name: None)
    with pytest.raises(vq.MissingExtraError, match=f"need {runtime} to run, which is not there: pip install"):
        RUNTIMES[runtime]([], 1)
