"""Frames in, videos out, and data sets in their official layouts."""

from videoquant.data.catalog import DATASETS, open
from videoquant.data.dataset import Dataset, LabelledClip, LabelledFrame, Sample
from videoquant.data.targets import ClassLabel, Joints, LabelMap, Landmarks, Picture, Target
from videoquant.data.video import Clip, ClipWarning, Frame, frames
from videoquant.data.writer import VideoWriter

__all__ = [
    "DATASETS",
    "ClassLabel",
    "Clip",
    "ClipWarning",
    "Dataset",
    "Frame",
    "Joints",
    "LabelMap",
    "LabelledClip",
    "LabelledFrame",
    "Landmarks",
    "Picture",
    "Sample",
    "Target",
    "VideoWriter",
    "frames",
    "open",
]
