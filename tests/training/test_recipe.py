"""Recipes: their checks, their defaults and the learning rate."""

import json
import math

import pytest

from videoquant.errors import DataError
from videoquant.training.recipe import Recipe

BASE = {"epochs": 2, "batch": 4, "crop": (8, 8)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("crop", (0, 8)),
        ("repeats", 0),
        ("scales", (2.0, 0.5)),
        ("scales", (0.0, 1.0)),
        ("jitter", -0.1),
        ("optimizer", "lion"),
        ("learning_rate", math.inf),
        ("learning_rate", 0.0),
        ("weight_decay", -1.0),
        ("schedule", "step"),
        ("warmup", 1.0),
        ("ema", 1.0),
        ("hard", 0.0),
        ("precision", "fp8"),
        ("seed", -1),
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(DataError, match=f"recipe: {name} is "):
        Recipe(**BASE | {name: value})


def test_given_settings_replace_the_usual_ones_and_none_keeps_them():
    recipe = Recipe.for_task("segmentation", (360, 480), epochs=7, batch=None)
    assert (recipe.epochs, recipe.batch, recipe.crop, recipe.hard) == (7, 8, (360, 480), 0.9)
    assert Recipe.for_task("super-resolution", (360, 480)).crop == (20, 20)


def test_a_task_without_training_is_refused():
    with pytest.raises(DataError, match="no training for pose; there is for segmentation"):
        Recipe.for_task("pose", (256, 192))


def test_a_recipe_is_json():
    assert json.loads(json.dumps(Recipe(**BASE).to_dict()))["crop"] == [8, 8]


@pytest.mark.parametrize(("schedule", "half"), [("cosine", 0.5), ("poly", 0.5**0.9)])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(schedule, half):
    recipe = Recipe(**BASE, schedule=schedule, warmup=0.1, learning_rate=2.0)
    rates = [recipe.rate_at(step, 110) for step in range(110)]
    assert rates[:3] == pytest.approx([2 / 11, 4 / 11, 6 / 11])
    assert max(rates) == rates[10] == 2.0
    assert rates[11:] == sorted(rates[11:], reverse=True) and 0 < rates[-1] < 0.06
    assert Recipe(**BASE, schedule=schedule, warmup=0, learning_rate=2.0).rate_at(50, 100) == pytest.approx(
        2 * half
    )


@pytest.mark.parametrize("task", ["segmentation", "super-resolution", None])
def test_nothing_decays_in_quantization_aware_training(task):
    assert Recipe.for_scheme(task, (32, 32)).weight_decay == 0
