"""What the papers set up: whole schemes by name (presets), and what words leave open (conventions).

Presets are those of the QPP paper (supplement, Table A.2), by the network and data set they are for.
Weights have 8 bits, activations 4; weights are quantized by min–max per tensor (A.3). The first and the last
layer stay in floating point, except in super-resolution. HRNet has four positions: the first ReLU and the
start of each transition.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Convention:
    """Words that schemes take which do not say otherwise.

    every: of all that quantize. residual: of residual schemes besides. qpp: what the bare word qpp is.
    """

    every: str = ""
    residual: str = ""
    qpp: str = ""


# ResQ says nothing of first and last layers, nor of how samples are pooled, and adds no correction: all
# layers alike, the average of the samples' ranges, residuals everywhere, weights per channel (its
# supplement's Table 2 prefers them), T = 3 (there, section 1). QPP: Table A.2, A.3.
CONVENTIONS = {
    "default": Convention(),
    "resq": Convention("head=2 tail=2 pool=mean no-bias-correction", "always-residual"),
    "qpp": Convention(
        "asymmetric quantile=0.9997 head=fp tail=fp no-bias-correction",
        "always-residual",
        "qpp=5 at=first-relu",
    ),
}
