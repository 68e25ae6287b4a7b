"""No command writes over what it reads, whatever option names it and whatever path leads there."""

import os
import shutil

import pytest

from videoquant.cli import COMMANDS as NAMES
from videoquant.cli import load_command
from videoquant.cli.targets import Folder, check_targets
from videoquant.errors import OutputError

READS = {
    "network", "networks", "file", "files", "bench", "video", "images", "dataset", "validation",
    "calibration", "calibrate_on", "checkpoint", "chip", "stored", "names", "anchors", "check_on",
}  # fmt: skip
WRITES = {"output", "report", "json_file", "plot"}
NEITHER = {
    "scheme", "schemes", "size", "size_gib", "version", "exhaustive", "mean", "std", "scale", "color", "fit",
    "task", "engines", "engine", "modes", "threads", "count", "budget", "repeats", "paint",
    "distill", "resume", "epochs", "batch", "crop", "scales", "optimizer", "learning_rate", "weight_decay",
    "schedule", "precision", "seed", "every", "help", "plan", "isa", "track", "boxes", "score", "overlap",
    "form", "opset", "columns", "keep", "target", "no_cache", "workers", "ray", "state", "input",
    "convention",
    "profile", "scaling", "random_weights",
    "cache",  # a folder of files that only their hashes name
}  # fmt: skip
# What a command needs beside the two options in question. CLIP stands for a clip that can be read.
BESIDE = {
    "alpha": {"network": "N", "scheme": "w8a4"},
    "bench gating": {"network": "N", "video": "CLIP"},
    "bench network": {"network": "N", "video": "CLIP"},
    "chips fit": {"bench": "b.json", "networks": "N"},
    "compare": {"network": "N"},
    "debug": {"file": "s.vq"},
    "export": {"file": "s.vq"},
    "inspect": {"network": "N", "chip": "nvidia-t4"},
    "quantize": {"network": "N", "scheme": "w8a8"},
    "run": {"file": "s.vq", "budget": 0.02},
    "train": {"network": "N", "dataset": "D"},
}  # fmt: skip
FOLDERS = {("bench network", "output"): "bench.json", ("train", "output"): "weights.safetensors"}
FOLDERS |= {("compare", "report"): "results.json", ("bench gating", "output"): "gating.json"}


def commands(command, path):
    """Every command by its words, and its parameters by name."""
    yield " ".join(path), {parameter.name: parameter for parameter in command.params}
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = {words: found for name in NAMES for words, found in commands(load_command(name), (name,))}
PAIRS = [
    (words, write, read)
    for words, parameters in COMMANDS.items()
    for write in parameters
    for read in parameters
    if write in WRITES and read in READS
]


def test_every_option_is_known_to_read_to_write_or_to_name_no_file():
    found = {name for parameters in COMMANDS.values() for name in parameters}
    assert found - (READS | WRITES | NEITHER) == set()
    assert {words for words, _, _ in PAIRS} == set(BESIDE)


def link(way, read, target):
    """Make `target` lead to the file `read`."""
    if way == "symbolic link":
        target.symlink_to(read)
    elif way == "hard link":
        os.link(read, target)


WAYS = ("same path", "through another folder", "symbolic link", "hard link")
# Every way for a pair of options, and for every pair one of the ways, by turns: one function knows them all.
LED = [(*PAIRS[0], way) for way in WAYS] + [(*pair, WAYS[i % 4]) for i, pair in enumerate(PAIRS[1:])]


@pytest.mark.parametrize(("words", "write", "read", "way"), LED)
def test_what_is_read_is_not_written_over(words, write, read, way, command, clip, tmp_path):
    folder = tmp_path / "held"
    folder.mkdir()
    name = FOLDERS.get((words, write), "x.svg" if write == "plot" else "x.mp4")
    linked = way in ("symbolic link", "hard link")
    source = tmp_path / "input.bin" if linked else folder / name
    shutil.copy(clip, source)
    if linked:
        link(way, source, folder / name)
    target = folder if (words, write) in FOLDERS else folder / name
    if way == "through another folder":
        target = os.path.join(tmp_path, "held", "..", os.path.relpath(target, tmp_path))
    values = BESIDE[words] | {read: source, write: target}
    if read == "dataset":  # instead of a clip
        values.pop("video", None)
    arguments = []
    for key, value in values.items():
        parameter = COMMANDS[words][key]
        option = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        arguments += [*option, clip if value == "CLIP" else value]
    before = source.read_bytes()
    code, out, err = command(*words.split(), *arguments)
    assert code == 2 and out == ""
    assert "reads it" in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    assert source.read_bytes() == before
    assert sorted(file.name for file in folder.iterdir()) == [name]


@pytest.fixture
def pictures(tmp_path):
    """A folder of frames, and one in a data set's layout."""
    for path in ("frames/a.png", "set/val/a.png", "set/valannot/a.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


@pytest.mark.parametrize("name", ["a.png", "b.png", "linked.png"])
@pytest.mark.parametrize(
    ("place", "text"),
    [("frames", "{}/frames"), ("set/val", "camvid:{}/set"), ("set/val", "camvid:{}/set#val")],
)
def test_a_picture_among_those_that_are_read_is_refused(place, text, name, pictures):
    os.link(pictures / place / "a.png", pictures / "linked.png")
    target = pictures / name if name == "linked.png" else pictures / place / name
    with pytest.raises(OutputError, match=r"--images reads it"):
        check_targets({"--images": text.format(pictures)}, {"--plot": target})


def test_other_files_in_a_folder_that_is_read_are_written(pictures):
    for _ in range(2):
        check_targets({"--images": pictures / "frames"}, {"--json": pictures / "frames" / "r.json"})
        target = Folder(pictures / "set" / "run", ("curves.png", "history.json"))
        check_targets({"--dataset": f"camvid:{pictures}/set"}, {"--output": target})
        (pictures / "frames" / "r.json").write_text("{}")
        (pictures / "set" / "run").mkdir(exist_ok=True)
        (pictures / "set" / "run" / "curves.png").write_text("")


def test_two_outputs_in_one_place_are_refused(tmp_path):
    with pytest.raises(OutputError, match="--json and --plot both write it"):
        check_targets({}, {"--json": tmp_path / "x.svg", "--plot": tmp_path / "." / "x.svg"})
    with pytest.raises(OutputError, match="--output writes it twice"):
        check_targets({}, {"--output": Folder(tmp_path, ("a", "a"))})


def test_weights_beside_an_onnx_file_are_read_too(tmp_path, small):
    import onnx

    model = onnx.load(small)
    onnx.save_model(
        model, tmp_path / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(OutputError, match="NETWORK reads it"):
        check_targets({"NETWORK": str(tmp_path / "net.onnx")}, {"--output": tmp_path / "weights.bin"})


def test_networks_by_name_have_files_too():
    from videoquant.models import weights

    file = next(weights.FOLDER.glob("espcn_x3_*"))
    with pytest.raises(OutputError, match="NETWORK reads it"):
        check_targets({"NETWORK": "espcn_x3"}, {"--output": file})


def test_only_the_first_of_several_processes_tries_the_folder(tmp_path, monkeypatch):
    """Another could take away what the first has just made: it is tried by making it."""
    (tmp_path / "file").write_text("")
    writes = {"--output": Folder(tmp_path / "file" / "folder", ("x",))}
    monkeypatch.setenv("RANK", "1")
    check_targets({}, writes)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(OutputError):
        check_targets({}, writes)
