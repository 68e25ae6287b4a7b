"""The quantized network in integers: lowering to a plan, and the streams that run one."""

from videoquant.engine.ceiling import vnni_ceiling
from videoquant.engine.lower import lower
from videoquant.engine.plan import Plan, load_plan
from videoquant.engine.stream import Stream
from videoquant.engine.thresholds import calibrate_thresholds

__all__ = ["Plan", "Stream", "calibrate_thresholds", "load_plan", "lower", "vnni_ceiling"]
