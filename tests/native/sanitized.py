"""A pytest plugin: `videoquant._native` is the module that the variable VIDEOQUANT_NATIVE names."""

import importlib.util
import os
import sys

spec = importlib.util.spec_from_file_location("videoquant._native", os.environ["VIDEOQUANT_NATIVE"])
assert spec is not None and spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["videoquant._native"] = module
