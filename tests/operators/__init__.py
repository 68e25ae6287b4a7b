"""What tests and the sweep have of their own for an operator: a file for each, or for a family.

Such a file fills `tables.py`: what the operator of a plan computes (`@meaning`), how it is drawn for random
plans (`@drawn`) and as an ONNX node (`@onnx`), and a module that uses it (`@in_zoo`). It is found by itself.
"""

import importlib
import pkgutil

from tests.operators.tables import DRAWS, GENERATORS, MEANINGS, ZOO, captured

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")

__all__ = ["DRAWS", "GENERATORS", "MEANINGS", "ZOO", "captured"]
