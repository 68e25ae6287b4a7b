"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

from tests.camvid import write_squares


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real networks, clips and labels; the test skips where it is absent."""
    folder = Path(os.environ.get("VIDEOQUANT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real networks and clips in {folder} (or set VIDEOQUANT_DATA)")
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CamVid's layout to train on; see `write_squares`."""
    return write_squares(tmp_path_factory.mktemp("squares"))
