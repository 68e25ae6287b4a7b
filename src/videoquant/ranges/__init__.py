"""From what was seen to a grid: estimators, predictors, and where a quantizer's grid comes from."""
