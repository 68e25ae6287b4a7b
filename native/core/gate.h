// The gate at the network's input: which blocks of a frame are computed anew. The twin of videoquant/regions/gate.py,
// which says what the numbers mean, to the last bit; docs/regions.md has the equations.
#pragma once
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace vq {

// The parameters of videoquant.axes.Regions that the gate takes.
struct GateRule {
    double trigger = 0;
    int64_t floor = 0, margin = 0, memory = 0, rest = 0, refresh = 0, block = 0;
};

constexpr int gate_bins = 8;  // of brightness

// What the gate knows of the frames before.
struct GateState {
    enum class Last : uint8_t { region, whole, moving };
    int64_t frames = 0, cells = 0;  // cells: numbers that `held` and `before` have
    Last last = Last::region;
    Memory held, before;                // sums of cells: uint16, h × w × c; empty before the first frame
    std::vector<int32_t> since, still;  // by block
    double deviation[gate_bins];        // by brightness

    size_t bytes() const { return held.bytes() + before.bytes() + 4 * (since.size() + still.size()); }
};

// A rule for pictures h × w × c, with the sizes that follow.
struct GateSizes {
    GateRule rule;
    int64_t h = 0, w = 0;
    int32_t c = 0;
    int64_t rows = 0, columns = 0;  // of blocks
    int64_t cell_rows = 0, cell_columns = 0, patch_rows = 0, patch_columns = 0;
};

// Has no state of its own: threads may share it.
class Gate {
public:
    // Throws std::invalid_argument for a rule or a size that is none.
    Gate(const GateRule& rule, int64_t h, int64_t w, int32_t c, const Kernels& kernels);

    GateState first() const;
    struct Found {
        bool whole, moving;
    };
    // The region of a frame, whose pixels lie side by side, and the state after it. blocks: rows × columns of them, each 1
    // where it is computed anew, else 0.
    Found step(const GateState& state, const uint8_t* picture, GateState& after, uint8_t* blocks) const;
    const GateSizes& sizes() const { return sizes_; }

private:
    GateSizes sizes_;
    const Kernels& kernels_;
};

}  // namespace vq
