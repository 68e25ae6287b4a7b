"""The commands on networks by name: --checkpoint, --size, the weights that a clone ships, and labels."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import videoquant as vq
from tests.camvid import FRAMES, HEIGHT, WIDTH
from videoquant.cli.compare_plan import parse_schemes
from videoquant.cli.networks import input_size
from videoquant.comparison import DEFAULT_LABELLED_SCHEMES
from videoquant.data.sets.camvid import CLASSES
from videoquant.models import weights
from videoquant.models.registry import ENTRIES

NAME = "ddrnet23_slim"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """DDRNet-23-slim for the classes of CamVid, its weights random, its batch norms settled on noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = vq.models.create(NAME, num_classes=len(CLASSES)).train()
        with torch.no_grad():
            model(torch.rand(4, 3, 64, 96))
    path = tmp_path_factory.mktemp("weights") / f"{NAME}_camvid.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in model.state_dict().items()}, path)
    return path


@pytest.fixture
def shipped(checkpoint, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", checkpoint.parent)


@pytest.fixture
def none_shipped(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path_factory.mktemp("experiments") / "weights")


def test_compare_scores_against_labels_and_fp32(command, camvid, shipped, tmp_path):
    schemes = "fp32; w8a8->w4a4 T=3"
    code, out, err = command(
        *("compare", NAME, "--dataset", f"camvid:{camvid}", "--schemes", schemes, "--frames", FRAMES),
        *("--json", "r.json"),
    )
    assert code == 0, err
    assert err.count("\n") == 1 and f"{NAME}: weights " in err and err.endswith("_camvid.safetensors\n")
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["network"] == NAME and data["labelled_frames"] == data["frames"] == FRAMES
    assert data["calibration"].endswith("some of them scored too: the clip is too short for both")
    float_row, row = data["rows"]
    # The input has the size of the frames, so that nothing is resized.
    macs = sum(vq.load(NAME, size=(HEIGHT, WIDTH)).macs.values())
    assert float_row["gbops_per_frame"] == pytest.approx(macs * 1024 / 1e9)
    assert float_row["agreement"]["mask_iou"] == 1 and row["agreement"]["mask_iou"] < 1
    for found in (float_row, row):
        assert list(found["accuracy_by_label"]) == list(CLASSES)
        mean = np.mean(list(found["accuracy_by_label"].values()))
        assert found["accuracy"] == {"miou": pytest.approx(mean)} and 0 <= mean < 0.5
        assert all("miou" in frame["accuracy"] for frame in found["per_frame"])
    assert "IoU per class, % (labels)" in out and "mIoU" in out
    page = (tmp_path / "videoquant-report" / "report.html").read_text()
    assert "<h2>IoU per class</h2>" in page and "bicyclist" in page


def test_the_other_commands_take_a_checkpoint_and_a_size(
    command, camvid, checkpoint, none_shipped, monkeypatch
):
    source, given = ("--dataset", f"camvid:{camvid}"), ("--checkpoint", checkpoint, "--size", "32x48")
    code, _, err = command("quantize", NAME, *source, *given, "--scheme", "w8a8 minmax", "-o", "net.vq")
    assert (code, err) == (0, "")
    assert vq.load_quantized("net.vq").network.input_shape == (1, 3, 32, 48)
    code, _, err = command("inspect", "net.vq", "--size", "32x48")
    assert code == 2 and "stored with it" in err and err.count("\n") == 1
    code, out, err = command("inspect", NAME, *given)
    assert (code, err) == (0, "") and "input x 1×3×32×48" in out and "output 1×11×4×6" in out

    def search(network, *_):
        raise vq.DataError(f"searched on {network.name} {network.input_shape}")

    monkeypatch.setattr("videoquant.cli.alpha.search_alpha", search)
    _, _, err = command("alpha", NAME, *source, *given, "--scheme", "w8a4")
    assert err == f"videoquant: error: searched on {NAME} (1, 3, 32, 48)\n"


def test_without_weights_only_inspect_goes_on(command, camvid, none_shipped):
    code, out, err = command("inspect", "espcn_x3", "--size", "32x48")
    assert code == 0 and "1×1×96×144" in out
    assert err == "espcn_x3: random weights; only its structure means anything\n"
    source = ("--dataset", f"camvid:{camvid}")
    for arguments in (
        ("compare", "espcn_x3", *source),
        ("quantize", "espcn_x3", *source, "--scheme", "w8a8", "-o", "x.vq"),
        ("alpha", "espcn_x3", *source, "--scheme", "w8a4"),
    ):
        code, out, err = command(*arguments)
        assert code == 2 and out == "" and err.count("\n") == 1
        assert "--checkpoint PATH) or train one: videoquant train espcn_x3 --dataset" in err


def test_what_inspect_shows_without_a_source_has_the_published_size(command, none_shipped):
    code, out, _ = command("inspect", "espcn_x3")
    height, width = ENTRIES["espcn_x3"].config.size
    assert code == 0 and f"×{height}×{width}" in out


def test_pictures_of_different_sizes_go_through_one_luma_network(command, tmp_path, tmp_path_factory):
    pictures, random = tmp_path_factory.mktemp("set5"), np.random.default_rng(0)
    for height, width in ((48, 60), (66, 33)):
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{height}.png")
    save_file(vq.models.create("espcn_x3").state_dict(), pictures / "espcn.safetensors")
    code, _, err = command(
        *("compare", "espcn_x3", "--checkpoint", pictures / "espcn.safetensors", "--json", "r.json"),
        *("--dataset", f"set5:{pictures}#x3", "--schemes", "fp32; w8a8", "--frames", 2),
    )
    assert (code, err) == (0, "")
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    macs = sum(vq.load("espcn_x3", checkpoint=pictures / "espcn.safetensors", size=(22, 20)).macs.values())
    assert rows[0]["gbops_per_frame"] == pytest.approx(macs * 1024 / 1e9)
    assert all(set(row["accuracy"]) == {"psnr_y"} and len(row["per_frame"]) == 2 for row in rows)


def test_default_sizes(camvid, clip, tmp_path):
    configs = {name: ENTRIES[name].config for name in (NAME, "espcn_x3", "resnet18")}
    for size in ((40, 60), (66, 33), (20, 90)):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / f"{size[0]}.png")
    pictures = vq.data.open(f"set5:{tmp_path}#x3").clip()
    assert input_size(configs["espcn_x3"], pictures) == (22, 30)
    assert input_size(configs["espcn_x3"], vq.frames(tmp_path)) == (66, 90)
    assert input_size(configs["espcn_x3"], vq.frames(clip)) == (96, 128)
    assert input_size(configs[NAME], vq.data.open(f"camvid:{camvid}").clip()) == (HEIGHT, WIDTH)
    assert input_size(configs[NAME], vq.frames(clip)) == (96, 128)
    assert input_size(configs["resnet18"], vq.frames(clip)) == (224, 224)


def test_a_labelled_video_has_the_schemes_of_the_supplement():
    texts = [str(scheme) for scheme in parse_schemes(None, stills=False, labelled=True)]
    assert texts == [str(vq.Scheme.parse(text)) for text in DEFAULT_LABELLED_SCHEMES]
    assert {"fp32", "w8a8", "w4a4", "w3a3", "w2a2"} == {text for text in texts if "->" not in text}
    per_tensor = [text.removesuffix(" per-tensor") for text in texts if text.endswith(" per-tensor")]
    assert len(per_tensor) == 4 and set(per_tensor) <= set(texts)
    assert texts != [str(scheme) for scheme in parse_schemes(None, stills=False)]
    assert not any("->" in str(scheme) for scheme in parse_schemes(None, stills=True, labelled=True))


def no_labels(root):
    shutil.rmtree(root / "valannot")


def no_images(root):
    shutil.rmtree(root / "val")


def one_label_missing(root):
    (root / "valannot" / "0016E5_07963.png").unlink()


def empty_split(root):
    for file in (root / "val").iterdir():
        file.unlink()


def other_size(root):
    Image.fromarray(np.zeros((HEIGHT, WIDTH // 2), np.uint8)).save(root / "valannot" / "0016E5_07963.png")


def ids_out_of_range(root):
    Image.fromarray(np.full((HEIGHT, WIDTH), 12, np.uint8)).save(root / "valannot" / "0016E5_07963.png")


DATA = {
    no_labels: "lacks valannot, a part of CamVid",
    no_images: "lacks val, a part of CamVid",
    one_label_missing: "valannot: lacks the labels of 1 of 9 images: 0016E5_07963.png",
    empty_split: "val: holds no images",
    other_size: "0016E5_07963.png: labels are 64×48, their image",
    ids_out_of_range: "0016E5_07963.png: has label 12; ids are 0–11, of which 11 is void",
}


@pytest.mark.parametrize("damage", DATA)
def test_a_damaged_data_set_is_one_line_and_no_report(damage, command, camvid, eleven, tmp_path, monkeypatch):
    def quantize(*_):
        raise AssertionError("began the long work all the same")

    monkeypatch.setattr("videoquant.comparison.parts.quantize", quantize)
    damage(camvid)
    code, out, err = command("compare", eleven, "--dataset", f"camvid:{camvid}", "--frames", FRAMES)
    assert code == 2 and out == ""
    assert DATA[damage] in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    # Matplotlib keeps its fonts in the cache's folder.
    assert [
        path.name for path in tmp_path.rglob("*") if path.is_file() and "matplotlib" not in path.parts
    ] == []


NETWORKS = {
    "a slip in the name": (["DDRNet23-slm"], "did you mean ddrnet23_slim"),
    "no network at all": (["zzzz"], "networks by name are selfie_segmentation, centerface, resnet18"),
    "damaged checkpoint": ([NAME, "--checkpoint", "DAMAGED"], "damaged.safetensors: not a safetensors file"),
    "damaged pth": ([NAME, "--checkpoint", "TEXT"], "text.pth: not a checkpoint of torch.save, or damaged"),
    "no such checkpoint": ([NAME, "--checkpoint", "absent.pth"], "absent.pth: no such file"),
    "another architecture": (["ddrnet39", "--checkpoint", "OWN"], "does not fit DDRNet: "),
    "another family": (["resnet18", "--checkpoint", "OWN"], "does not fit ResNet: "),
    "checkpoint of a file": (["ELEVEN", "--checkpoint", "OWN"], "eleven.onnx: checkpoint is for"),
    "size in words": ([NAME, "--checkpoint", "OWN", "--size", "big"], "--size big: give height and width"),
    "half a size": ([NAME, "--checkpoint", "OWN", "--size", "360"], "--size 360: give height and width"),
    "size of nothing": ([NAME, "--checkpoint", "OWN", "--size", "0x480"], "--size 0x480: give height"),
    "size beyond reason": ([NAME, "--checkpoint", "OWN", "--size", "9999x9999"], "must be 1 to 8192 pixels"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_that_cannot_be_had_is_one_line(case, command, camvid, eleven, checkpoint, tmp_path):
    places = camvid.parent / f"{camvid.name}-checkpoints"
    places.mkdir()
    (places / "damaged.safetensors").write_bytes(checkpoint.read_bytes()[:100_000])
    (places / "text.pth").write_text("no checkpoint")
    files = {
        "OWN": checkpoint,
        "ELEVEN": eleven,
        "DAMAGED": places / "damaged.safetensors",
        "TEXT": places / "text.pth",
    }
    arguments, text = NETWORKS[case]
    arguments = [files.get(argument, argument) for argument in arguments]
    source = ("--dataset", f"camvid:{camvid}")
    for rest in (("compare", *source), ("quantize", *source, "--scheme", "w8a8", "-o", "x.vq"), ("inspect",)):
        code, out, err = command(rest[0], *arguments, *rest[1:])
        assert code == 2 and out == ""
        assert text in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
