"""Plan files of version 1, which the version before wrote, compute what it computed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videoquant.runtime.integer_network import load_plan

FILES = Path(__file__).parent / "version1"


@pytest.mark.parametrize("name", ["qpp", "dynamic"])  # w8a8->w4a4 T=2 recurrent qpp; dynamic minmax
def test_a_file_of_version_1_computes_what_it_did(name, tmp_path):
    plan, kept = load_plan(FILES / f"{name}.plan"), np.load(FILES / "outputs.npz")
    plan.save(tmp_path / "again.plan")
    for read in (plan, load_plan(tmp_path / "again.plan")):
        stream = read.stream(threads=1)
        outputs = [
            y.ravel() for frame in kept["frames"] for y in stream.run(torch.from_numpy(frame)).values()
        ]
        np.testing.assert_array_equal(np.concatenate(outputs), kept[name])
