"""The schemes that `compare` runs where the user names none."""

DEFAULT_SCHEMES = (
    "fp32",
    "w8a8",
    "w4a8",
    "w8a4",
    "w4a4",
    "w8a8->w4a8 T=3",
    "w8a8->w8a4 T=3",
    "w8a8->w4a4 T=3",
    "w8a8->w4a4 T=3 qpp",
    "w8a4->w4a4 T=3",
    "w8a8->w4a4 T=3 ds=1%",
    "w8a8->w4a8 T=3 adaptive",
    "w8a8->w4a8 T=3 adaptive tau=2",
)
# Of a labelled video, what the supplement of the ResQ paper measures: frame quantization and residual pairs
# at T = 3 (its Figures 1 and 2), then its Table 2: weights per tensor, against per channel, the default.
DEFAULT_LABELLED_SCHEMES = (
    "fp32",
    "w8a8",
    "w4a4",
    "w3a3",
    "w2a2",
    "w8a8->w4a8 T=3",
    "w8a8->w8a4 T=3",
    "w8a8->w4a4 T=3",
    "w8a4->w4a4 T=3",
    "w4a4->w3a3 T=3",
    "w3a3->w2a2 T=3",
    "w8a8->w4a8 T=3 per-tensor",
    "w8a8->w8a4 T=3 per-tensor",
    "w8a8->w4a4 T=3 per-tensor",
    "w8a4->w4a4 T=3 per-tensor",
)
DEFAULT_IMAGE_SCHEMES = ("fp32", "w8a8", "w6a6", "w4a8", "w8a4", "w4a4")
