"""The papers' networks as plain PyTorch modules, with the parameter names of their official releases.

module = vq.models.create("ddrnet23_slim", checkpoint="best_val.pth")
example = torch.rand(1, 3, *module.config.size)
network = vq.capture(module, example, preprocessing=module.config.preprocessing)
"""

from videoquant.models.base import Model, ModelConfig
from videoquant.models.registry import create, names

__all__ = ["Model", "ModelConfig", "create", "names"]
