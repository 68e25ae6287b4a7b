"""Quantized networks as ONNX files that other runtimes run."""

from videoquant.exporting.onnx_export import export

__all__ = ["export"]
