// The plan of a network: operators in order over slots, weights packed. It does not change and is shared by sessions.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "predictions.h"

namespace vq {

constexpr int32_t largest_side = 32768, most_channels = 65536;
constexpr int64_t most_elements = int64_t(1) << 31;

// A tensor that lives in a session. Codes take c rounded up to 4 bytes a pixel, floats c; a sparse part has room for c
// elements and their count.
struct Slot {
    int32_t h = 0, w = 0, c = 0;
    bool codes = false, sparse = false;  // else float32
    bool keep = false;   // lives from frame to frame
    bool residual = false;  // holds a residual, which is 0 outside a stream's region
    bool floats() const { return !codes && !sparse; }
    int64_t stride() const { return codes ? (c + 3) / 4 * 4 : c; }
    size_t bytes() const {
        return size_t(pixels()) * (size_t(stride()) * (codes ? 1 : 4) + (sparse ? 4 * few_elements + 2 : 0));
    }
    int64_t pixels() const { return int64_t(h) * w; }
};

// A step as the plan knows it: slots and grids by number (−1: none).
struct StepPlan {
    Step step;
    int32_t slot = -1, grid = -1, reference = -1, operand = -1, staged = -1;
    Memory channel_a, channel_b;
};

class Bound;
struct Buffers;

// What is read of every operator first.
struct OpHead {
    std::string name;
    std::vector<int32_t> inputs;
    int32_t grid = -1;    // of the codes that it reads
    int32_t sparse = -1;  // Dense + Sparse: the slot of its input's sparse part
    int32_t h = 0, w = 0, c = 0;
    int64_t pixels() const { return int64_t(h) * w; }
};

// What every operator has; the files of operators/ add their own.
struct Op : OpHead {
    Op() = default;
    virtual ~Op() = default;
    Op(const Op&) = delete;
    Op& operator=(const Op&) = delete;
    // The operator over a session's buffers.
    virtual std::unique_ptr<Bound> bind(Buffers& buffers) const = 0;
    // The bytes that a session which follows changes may keep beside the operator's tensors.
    virtual double bytes_followed() const { return 0; }

    int64_t macs = 0;  // of the whole output
    std::vector<StepPlan> steps;
    bool placeless = false;  // its pixels do not lie where the input's do: with regions, all are computed
    bool after_update = false;  // values are looked at before this operator: all before it must be stored
};

// The operators of one kind of frame, in order, and where their grids are set anew.
struct ProgramPlan {
    std::string name;  // "key", "residual"
    std::vector<std::unique_ptr<Op>> ops;
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

}  // namespace vq
