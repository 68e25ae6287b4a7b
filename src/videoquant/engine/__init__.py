"""The quantized network in integers: lowering to a plan, and the streams that run one."""

from videoquant.engine.lower import lower
from videoquant.engine.region_budget import RegionBudget, fit_regions
from videoquant.runtime.ceiling import vnni_ceiling
from videoquant.runtime.integer_network import IntegerNetwork, load_plan
from videoquant.runtime.plan import Plan
from videoquant.runtime.stream import Stream

__all__ = [
    "IntegerNetwork",
    "Plan",
    "RegionBudget",
    "Stream",
    "fit_regions",
    "load_plan",
    "lower",
    "vnni_ceiling",
]
