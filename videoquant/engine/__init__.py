"""The quantized network in integers: lowering to a plan, and the streams that run one."""
