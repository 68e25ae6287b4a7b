"""`videoquant export`: files for other runtimes, what is said of them, and mistakes in one line."""

import pytest

import videoquant as vq


@pytest.fixture(scope="module")
def stored(tmp_path_factory, small, clip):
    file = tmp_path_factory.mktemp("stored") / "small.vq"
    vq.save(vq.quantize(vq.load(small), "w8a8->w4a4 T=2", vq.frames(clip)), file)
    return file


def test_files_are_written_and_compared(command, stored, clip, tmp_path):
    code, output, _ = command("export", stored, "-o", "small.onnx", "--check", clip, "--frames", 4)
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"small.key.onnx", "small.residual.onnx"}
    assert "w8a8->w4a4 T=2, opset 20" in output
    assert "ONNX Runtime beside the simulation, 4 frames" in output
    assert "convolutions run in integers there" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--form", "foo"], "--form foo: it is qdq or integer"),
        (["--opset", "9"], "opset 9: files are written for opset 20 to"),
    ],
)
def test_a_mistake_is_one_line(command, stored, tmp_path, options, message):
    code, output, error = command("export", stored, "-o", "small.onnx", *options)
    assert (code, output) == (2, "")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())
