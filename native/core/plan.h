// The plan of a network: operators in order over slots, weights packed. It does not change and is shared by sessions.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "predictions.h"

namespace vq {

// A tensor that lives in a session. Codes take c rounded up to 4 bytes a pixel, floats c; a sparse part has room for c
// elements and their count.
struct Slot {
    int32_t h = 0, w = 0, c = 0;
    bool codes = false, sparse = false;  // else float32
    bool keep = false;   // lives from frame to frame
    int64_t stride() const { return codes ? (c + 3) / 4 * 4 : c; }
    size_t bytes() const {
        return size_t(pixels()) * (size_t(stride()) * (codes ? 1 : 4) + (sparse ? 4 * few_elements + 2 : 0));
    }
    int64_t pixels() const { return int64_t(h) * w; }
};

enum class Kind : uint8_t {
    conv, depthwise, float_conv, map, dequantize, pool, adaptive_pool, resize, move, softmax, constant, sparse,
};

// A step as the plan knows it: slots and grids by number (−1: none).
struct StepPlan {
    Step step;
    int32_t slot = -1, grid = -1, reference = -1, operand = -1, staged = -1;
    Memory channel_a, channel_b;
};

// Weights in the order of some kernels only: made when the first session that wants them begins, shared by all.
struct Extra {
    std::once_flag once;
    std::vector<Memory> weights;
};

// One part of a convolution: all of it, or one phase of a transposed one.
struct Part {
    std::vector<int32_t> dy, dx;
    int32_t step_y = 1, step_x = 1, phase_y = 0, phase_x = 0;
    std::vector<Block> blocks;
    std::vector<Memory> weights;
    std::unique_ptr<Extra> pairs = std::make_unique<Extra>();     // by block: `Block::pairs`
    std::unique_ptr<Extra> winograd = std::make_unique<Extra>();  // one piece: `Conv::winograd`
    Memory sums;          // Σ of weights by output channel, padded
    Memory flat;          // depthwise: [tap][channel]; float: [tap][input channel][output channel]
    Memory interleaved;   // depthwise: [tap / 4][channel][4]
    // Dense + Sparse: see SparseTaps.
    std::vector<int32_t> sparse_dy, sparse_dx;
    Memory sparse_weight;
    int64_t sparse_row = 0;
};

struct Op {
    Kind kind = Kind::map;
    std::string name;
    std::vector<int32_t> inputs;
    int32_t grid = -1;  // of the codes that a layer reads
    int32_t sparse = -1;  // Dense + Sparse: the slot of its input's sparse part
    int32_t h = 0, w = 0, c = 0;
    int32_t stride_y = 1, stride_x = 1, groups = 1;
    std::vector<Part> parts;
    Memory scale, bias;  // of the weights, by output channel, padded
    int64_t macs = 0;    // of the whole output
    Pool pool;
    Resize resize;
    Move move;
    Memory constant;
    std::vector<StepPlan> steps;
    bool after_update = false;  // values are looked at before this operator: all before it must be stored
};

// The operators of one kind of frame, in order, and where their grids are set anew.
struct ProgramPlan {
    std::string name;  // "key", "residual"
    std::vector<Op> ops;
    std::vector<RangeUpdate> updates;
};

struct Plan {
    Plan() = default;
    Plan(Plan&&) = default;
    Plan(const Plan&) = delete;

    std::vector<Slot> slots;
    std::vector<Grid> grids;
    std::vector<ProgramPlan> programs;
    std::vector<std::pair<std::string, int32_t>> outputs;
    std::vector<int64_t> remembered;  // how many numbers each value has that is kept for later frames' features

    const ProgramPlan* program(const std::string& name) const {
        for (const ProgramPlan& program : programs)
            if (program.name == name) return &program;
        return nullptr;
    }
};

// Is told how many bytes are about to be taken, all in all, and throws where that is more than may be.
using Allow = std::function<void(double bytes)>;

// Packs int8 weights (C_out × C_in/groups × taps) of the given taps into blocks; fills part.blocks, weights, sums.
void pack_conv(Part& part, const int8_t* weight, int32_t c_out, int32_t c_in, int32_t groups, int32_t kernel,
               const std::vector<int32_t>& taps);
// Fills part.pairs, once, from part.blocks.
void pack_pairs(const Part& part);
// Whether Winograd's algorithm computes it: 3 × 3 taps side by side that go on by one pixel, many channels.
bool takes_winograd(const Op& op);
// Fills part.winograd, once; returns what is there.
const int16_t* pack_winograd(const Part& part);
void pack_depthwise(Part& part, const int8_t* weight, int32_t channels, int32_t kernel);

}  // namespace vq
