"""What predictors read of a value."""

import torch

from videoquant.quantizers.features import DEFAULT, features
from videoquant.simulate.parameters import Watched


def test_features_of_a_residual_are_those_of_its_magnitude():
    x = torch.rand(1, 3, 8, 8)
    brighter = x + 0.25
    watched = Watched(("mean",), DEFAULT)
    assert watched.look(x, brighter).tolist() == features((brighter - x).abs(), DEFAULT).tolist()
    assert watched.look(x, brighter).tolist() == watched.look(brighter, x).tolist()
    assert (watched.look(x, brighter) > 0).all()


def test_features_of_a_keyframe_are_those_of_the_value_itself():
    x = torch.randn(1, 3, 8, 8)
    assert Watched(("mean", "min"), ("max",)).look(x, None).tolist() == features(x, ("mean", "min")).tolist()
