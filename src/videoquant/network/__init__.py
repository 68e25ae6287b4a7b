"""The captured network: one graph, read from PyTorch or ONNX."""
