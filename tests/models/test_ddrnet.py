"""What the registry's tests do not see of DDRNet: the two heads, and sizes that are no multiple of 64."""

import pytest
import torch

import videoquant as vq


def test_training_mode_gives_both_heads_and_eval_mode_one() -> None:
    module = vq.models.create("ddrnet23_slim")
    x = torch.rand(2, 3, 64, 128)
    with torch.no_grad():
        assert module(x).shape == (2, 19, 8, 16)
        main, extra = module.train()(x)
    assert main.shape == extra.shape == (2, 19, 8, 16)


def test_the_extra_head_reads_the_branch_before_its_last_meeting() -> None:
    """The gradient of the extra head reaches layer 3 of both branches, and nothing after."""
    module = vq.models.create("ddrnet39", num_classes=2).train()
    module(torch.rand(2, 3, 64, 64))[1].sum().backward()
    reached = {name for name, p in module.named_parameters() if p.grad is not None}
    assert {"layer3_2.0.conv1.weight", "layer3_2_.0.conv1.weight", "compression3_2.0.weight"} <= reached
    assert not any(name.startswith(("layer4", "down3_2", "layer5", "spp", "final_layer")) for name in reached)


@pytest.mark.parametrize("name", ["ddrnet23_slim", "hrnet_w18_small_v1", "hrnet_w32_pose"])
def test_any_size_works(name: str) -> None:
    module = vq.models.create(name).to("meta")
    with torch.device("meta"):
        stride = 8 if name.startswith("ddrnet") else 4
        assert module(torch.empty(1, 3, 90, 61)).shape[2:] == (-(-90 // stride), -(-61 // stride))
