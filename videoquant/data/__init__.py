"""Frames in, videos out, and data sets in their official layouts."""

from videoquant.data.video import Clip, ClipWarning, Frame, frames
from videoquant.data.writer import VideoWriter

__all__ = ["Clip", "ClipWarning", "Frame", "VideoWriter", "frames"]
