"""What predictors read of a value."""

import torch

from videoquant.ranges.features import PAPER_FEATURES, features
from videoquant.simulate.parameters import FeatureSpec


def test_features_of_a_residual_are_those_of_its_magnitude():
    x = torch.rand(1, 3, 8, 8)
    brighter = x + 0.25
    watched = FeatureSpec(("mean",), PAPER_FEATURES)
    assert (
        watched.extract(x, brighter).tolist()
        == features((brighter - x).abs().numpy(), PAPER_FEATURES).tolist()
    )
    assert watched.extract(x, brighter).tolist() == watched.extract(brighter, x).tolist()
    assert (watched.extract(x, brighter) > 0).all()


def test_features_of_a_keyframe_are_those_of_the_value_itself():
    x = torch.randn(1, 3, 8, 8)
    assert (
        FeatureSpec(("mean", "min"), ("max",)).extract(x, None).tolist()
        == features(x.numpy(), ("mean", "min")).tolist()
    )
