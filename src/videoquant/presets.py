"""The set-ups of the QPP paper (supplement, Table A.2) as schemes, by the network and data set they are for.

Weights have 8 bits, activations 4; weights are quantized by min–max per tensor (A.3). The first and the last
layer stay in floating point, except in super-resolution. HRNet has four positions: the first ReLU and the
start of each transition.
"""

_TRANSITIONS = "first-relu,transition1,transition2,transition3"


def _paper(positions: str, alpha: float, edges: str = "fp") -> str:
    words = f"w8a4 qpp=5 at={positions} quantile={alpha} asymmetric head={edges} tail={edges}"
    return f"{words} no-bias-correction"


PRESETS = {
    "qpp-resnet-imagenet": _paper("first-relu", 0.9997),
    "qpp-hrnet-cityscapes": _paper(_TRANSITIONS, 0.9993),
    "qpp-hrnet-cofw": _paper(_TRANSITIONS, 0.9991),
    "qpp-hrnet-wflw": _paper(_TRANSITIONS, 0.9991),
    "qpp-hrnet-300w": _paper(_TRANSITIONS, 0.9993),
    "qpp-espcn": _paper("input", 0.9998, edges="2"),
}
