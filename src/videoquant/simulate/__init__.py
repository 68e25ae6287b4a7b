"""The quantized network in PyTorch: the definition of correct."""
