"""From tensors to codes: grids, ranges, weights, and where quantizers stand."""
