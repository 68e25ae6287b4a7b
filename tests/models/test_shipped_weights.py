"""Which of the shipped weights a network takes."""

from pathlib import Path

import pytest

import videoquant
from videoquant.errors import NetworkError
from videoquant.models import names, weights
from videoquant.models.weights import require_weights, shipped_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ddrnet23_slim_camvid", "ddrnet23_slim_cityscapes", "espcn_x3_bsd68"):
        (tmp_path / f"{name}.safetensors").touch()
    (tmp_path / "ddrnet39_camvid.pth").touch()
    return tmp_path


def test_the_data_set_chooses(folder: Path) -> None:
    found = shipped_weights("ddrnet23_slim", "camvid", folder)
    assert found == folder / "ddrnet23_slim_camvid.safetensors"


@pytest.mark.parametrize("dataset", [None, "set5"])
def test_a_network_s_only_weights_do_for_any_data(dataset: str | None, folder: Path) -> None:
    assert shipped_weights("espcn_x3", dataset, folder) == folder / "espcn_x3_bsd68.safetensors"


@pytest.mark.parametrize("dataset", [None, "imagenet"])
def test_of_several_none_is_guessed(dataset: str | None, folder: Path) -> None:
    with pytest.raises(NetworkError, match=r"ddrnet23_slim_camvid\.safetensors, ddrnet23_slim_cityscapes"):
        shipped_weights("ddrnet23_slim", dataset, folder)


@pytest.mark.parametrize("name", ["ddrnet23", "ddrnet39", "resnet18"])
def test_other_networks_weights_are_not_its_own(name: str, folder: Path) -> None:
    """Neither those of ddrnet23_slim are ddrnet23's, nor is a .pth shipped."""
    assert shipped_weights(name, "camvid", folder) is None


def test_a_folder_that_is_absent_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "weights")
    assert shipped_weights("ddrnet23_slim") is None
    with pytest.raises(
        NetworkError, match=r"^espcn_x3: no weights of it ship with videoquant; .*--checkpoint"
    ):
        require_weights("espcn_x3")


def test_what_ships_is_of_a_network_that_there_is() -> None:
    """In the package's own folder, so that `pip install .` has them too."""
    files = list(weights.FOLDER.glob("*.safetensors"))
    assert files and weights.FOLDER.parent == Path(videoquant.__file__).parent
    for file in files:
        assert any(file.stem.startswith(f"{name}_") for name in names()), file
