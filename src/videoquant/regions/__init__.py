"""Which part of a frame is computed anew: a gate at the network's input, with memory (docs/regions.md)."""

from videoquant.regions.gate import Gate, GateState
from videoquant.regions.native_gate import NativeGate
from videoquant.regions.region import Region

__all__ = ["Gate", "GateState", "NativeGate", "Region"]
