"""What is learnt from labels: networks in floating point."""
