"""What a camera does, without PyTorch: `python camera.py FOLDER`, for tests/test_runtime_install.py.

Runs every plan of the folder over its clip; outputs and drawings must be those of the full install.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import videoquant as vq

ABSENT = ("torch", "onnx", "scipy", "sklearn", "matplotlib")


def main() -> None:
    folder = Path(sys.argv[1])
    found = [name for name in ABSENT if find_spec(name)]
    assert not found, f"{found} are installed here"
    for file in sorted(folder.glob("*.plan")):
        expected = np.load(file.with_suffix(".npz"))
        plan = vq.load_plan(file)
        mode = str(expected["mode"])
        stream = vq.open_stream(plan, mode, threads=1)
        for frame in vq.frames(folder / "clip.mp4"):
            outputs = stream.run(frame)
            for name, output in outputs.items():
                assert isinstance(output, np.ndarray)
                same = np.array_equal(output, expected[f"{frame.index} {name}"])
                assert same, f"{file.name}: frame {frame.index}: {name} differs"
            drawn = plan.task.draw(frame.pixels, outputs)
            assert np.array_equal(drawn, expected[f"{frame.index} drawn"]), f"{file.name}: drawn otherwise"
        print(file.stem, mode, frame.index + 1)


if __name__ == "__main__":
    main()
