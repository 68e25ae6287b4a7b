"""Whether the package works with the oldest and the newest releases that pyproject.toml allows.

    python scripts/test_versions.py oldest|newest FOLDER [--python PYTHON] [--runtime]

Makes a virtual environment in FOLDER with PYTHON, installs the package there, each dependency at the lowest
minor release of its range or at its newest, and runs the quick tests (`pytest --quick`). With --runtime the
package comes without PyTorch, and plans that the Python of this script makes are run there
(tests/test_runtime_install.py). PyTorch before 2.13 has no wheel without CUDA on PyPI: several gigabytes.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ("pytest", "hypothesis", "onnxruntime", "torchmetrics", "h5py", "nanobind")  # of the tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("releases", choices=("oldest", "newest"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runtime", action="store_true")
    options = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *([] if options.runtime else extras["quantize"])]

    subprocess.run([options.python, "-m", "venv", options.folder], check=True)
    python = options.folder.resolve() / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet"]
    wanted = [lowest(requirement) if options.releases == "oldest" else requirement for requirement in needed]
    subprocess.run([*pip, "--upgrade", *wanted], check=True)
    tools = [] if options.runtime else [tool for tool in extras["dev"] if name(tool) in TOOLS]
    subprocess.run([*pip, ROOT, *wanted, *tools], check=True)
    subprocess.run([python, "-m", "pip", "list"], check=True)
    if options.runtime:
        tests = [sys.executable, "-m", "pytest", "-q", "tests/test_runtime_install.py"]
        environment = os.environ | {"VIDEOQUANT_CAMERA": str(python)}
    else:
        tests = [python, "-m", "pytest", "-q", "--quick"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sys.exit(subprocess.run(tests, cwd=ROOT, env=environment).returncode)


def name(requirement: str) -> str:
    """ "numpy>=2" → "numpy"."""
    return re.split(r"[<>=!~\[ ]", requirement, maxsplit=1)[0]


def lowest(requirement: str) -> str:
    """ "numpy>=2,<4" → "numpy==2.0.*": the lowest minor release of a range, with its mends."""
    package, floor = requirement.partition(",")[0].split(">=")
    return f"{package}=={floor}.*" if "." in floor else f"{package}=={floor}.0.*"


if __name__ == "__main__":
    main()
