"""A file with states through the commands, and what has no streams for them."""

import json

import pytest

from tests.stateful import exported

pytestmark = pytest.mark.filterwarnings("ignore:You are using the legacy")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("states"))


def test_a_file_with_states_is_quantized_run_compared_and_exported(file, clip, command, tmp_path):
    how = ["--video", clip, "--scale", "1/255", "--task", "segmentation"]
    code, _, err = command("quantize", file, "--scheme", "w8a8", *how, "-o", "net.vq")
    assert code == 0, err
    run = ["--video", clip, "--frames", 6, "--engine", "exact", "-o", "out.mp4"]
    code, _, err = command("run", "net.vq", *run)
    assert code == 0, err
    code, _, err = command("debug", "net.vq", "--video", clip, "--frames", 2)
    assert code == 0, err
    schemes = "w8a8; w8a8->w4a4 T=3"
    how += ["--frames", 6, "--schemes", schemes, "--engine", "frame", "--report", "report"]
    code, out, err = command("compare", file, "--state", "h_out=h_in", *how)
    assert code == 0, err
    assert "w8a8" in out and "simulated" not in err
    engines = ["--engines", "onnxruntime,videoquant", "--frames", 4, "--threads", 1]
    code, out, err = command("bench", file, *how[:6], *engines)
    assert code == 0, err
    rows = json.loads((tmp_path / "videoquant-bench" / "bench.json").read_text())["rows"]
    assert [(row["engine"], row["precision"], row["mode"]) for row in rows] == [
        ("onnxruntime", "fp32", "frame"),
        ("onnxruntime", "int8", "frame"),
        ("videoquant", "int8", "frame"),
        ("videoquant", "int8", "exact"),
    ]
    assert all(row["agreement"]["mask_iou"] > 0.9 for row in rows) and rows[-1]["identical"]
    code, out, err = command("export", "net.vq", "-o", "net.onnx", "--check", clip)
    assert code == 0, err
    code, out, _ = command("inspect", file)
    assert code == 0 and "states         h_in 1×8×16×16" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["inspect", "N", "--state", "h=h_in"],
            "--state h=h_in: there is no output 'h'; there are mask, h_out",
        ),
        (["inspect", "N", "--input", "h_in=0"], ""),
        (["inspect", "N", "--input", "h_in=x"], "--input h_in=x: 'x' is no number"),
        (["inspect", "selfie_segmentation", "--state", "a=b"], "--state a=b: there is no output 'a'"),
        (["inspect", "espcn_x2", "--input", "a=1"], "espcn_x2: input is for ONNX files"),
        (["bench", "N", "--video", "C", "--modes", "regions"], "recurrent has states (h_in), which regions"),
        (
            ["bench", "gating", "N", "--video", "C"],
            "has states (h_in); bench gating takes networks without",
        ),
        (["quantize", "N", "--scheme", "w8a8 regions", "--video", "C", "-o", "x.vq"], "has states"),
    ],
)
def test_what_is_refused_is_one_line(arguments, message, file, clip, command):
    code, _, err = command(*({"N": file, "C": clip}.get(argument, argument) for argument in arguments))
    if not message:
        assert code == 0
        return
    assert code == 2
    assert message in err and err.count("\n") == 1, err
