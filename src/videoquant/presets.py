"""The set-ups of the QPP paper (supplement, Table A.2) as schemes, by the network and data set they are for.

Weights have 8 bits, activations 4; weights are quantized by min–max per tensor (A.3). The first and the last
layer stay in floating point, except in super-resolution. HRNet has four positions: the first ReLU and the
start of each transition.
"""

_HRNET = (
    "w8a4 qpp at=first-relu,transition1,transition2,transition3 asymmetric head=fp tail=fp no-bias-correction"
)

PRESETS = {
    "qpp-resnet-imagenet": "w8a4 qpp quantile=0.9997 asymmetric head=fp tail=fp no-bias-correction",
    "qpp-hrnet-cityscapes": f"{_HRNET} quantile=0.9993",
    "qpp-hrnet-cofw": f"{_HRNET} quantile=0.9991",
    "qpp-hrnet-wflw": f"{_HRNET} quantile=0.9991",
    "qpp-hrnet-300w": f"{_HRNET} quantile=0.9993",
    "qpp-espcn": "w8a4 qpp at=input quantile=0.9998 asymmetric head=2 tail=2 no-bias-correction",
}
