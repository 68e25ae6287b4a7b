"""The main job: run every scheme over one stream beside the floating-point network, and measure both."""

from videoquant.comparison.collector import AnyStream as AnyStream
from videoquant.comparison.default_schemes import DEFAULT_IMAGE_SCHEMES as DEFAULT_IMAGE_SCHEMES
from videoquant.comparison.default_schemes import DEFAULT_LABELLED_SCHEMES as DEFAULT_LABELLED_SCHEMES
from videoquant.comparison.default_schemes import DEFAULT_SCHEMES as DEFAULT_SCHEMES
from videoquant.comparison.loop import compare as compare
from videoquant.comparison.results import LAYER_STEP as LAYER_STEP
from videoquant.comparison.results import Comparison as Comparison
from videoquant.comparison.results import PredictedRanges as PredictedRanges
from videoquant.comparison.results import Row as Row
