import numpy as np
import pytest
import torch

from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.agreement import Mean, same_class
from videoquant.tasks.classification import Classification
from videoquant.tasks.drawing import Canvas


def test_the_largest_score_decides():
    assert same_class(torch.tensor([1.0, 3, 2]), torch.tensor([0.0, 0.2, 0.1])) == 1.0
    assert same_class(torch.tensor([1.0, 3, 2]), torch.tensor([0.0, 0.1, 0.2])) == 0.0
    assert same_class(torch.tensor([1.0, 3, 2]), torch.tensor([0.0, 0.2, float("nan")])) == 0.0


def test_the_stream_is_the_share_of_equal_frames():
    agreement = Mean("top1", "logits", same_class)
    outputs = [{"logits": torch.eye(4)[[i]]} for i in range(4)]
    assert [agreement.update(outputs[0], outputs[i])["top1"] for i in (0, 1, 0, 0)] == [1, 0, 1, 1]
    assert agreement.result() == {"top1": 0.75}


@pytest.mark.parametrize(
    ("scores", "probabilities", "text"),
    [
        ([0.0, 0.0, 0.0, np.log(7)], False, "class 3   70%"),
        ([0.1, 0.7, 0.1, 0.1], True, "class 1   70%"),
        ([0.1, np.nan, 0.1, 0.1], True, "no class: not finite"),
        ([0.1, np.inf, 0.1, 0.1], False, "no class: not finite"),
    ],
)
def test_the_label_says_class_and_probability(scores, probabilities, text, monkeypatch):
    written = []
    monkeypatch.setattr(Canvas, "label", lambda self, text: written.append(text))
    task = Classification("logits", (224, 224), Preprocessing(fit="crop"), probabilities)
    frame = np.zeros((144, 176, 3), dtype=np.uint8)
    task.draw(frame, {"logits": torch.tensor([scores], dtype=torch.float32)})
    assert written == [text]
