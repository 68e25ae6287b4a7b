// A plan in memory: every value's buffer, every operator over them, and the grids of this frame. It runs operators in
// full; what a session computes of less than a whole frame, `DeltaTracker` asks of the same operators.
#pragma once
#include "operator.h"

namespace vq {

class Executor {
public:
    // partly: unless none, buffers keep what an earlier frame left, so that some pixels alone can be computed on top of
    // it. allow: is told how many bytes the values take, before they are taken, and may throw.
    Executor(const Plan& plan, Runner& runner, Partly partly, const Allow& allow = nullptr);
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // Runs an operator in full, and, where it is fused with the pool behind it, that too.
    void run(size_t program, size_t i);
    // An operator that is ready to run: with the grids as they are now, and the network's input where it lies.
    Bound& ready(size_t program, size_t i, const float* input);
    // Whether an operator runs together with the pool behind it: what lies between is stored nowhere.
    bool is_fused(size_t program, size_t i) const { return fused_[program][i]; }
    bool is_fused_slot(int32_t slot) const { return fused_slots_[size_t(slot)]; }

    void set_grid(int32_t index, const Grid& grid);
    const Grid& grid(int32_t index) const { return grids_[size_t(index)]; }
    // Whether operators read the input itself, or as an operand: then it must lie in slot 0.
    bool needs_input(size_t program) const;
    void copy_input(const float* input) { std::memcpy(data(0), input, plan_.slots[0].bytes()); }
    void* data(int32_t slot) const { return buffers_.data[size_t(slot)]; }
    const SparseList& sparse(int32_t slot) const { return buffers_.lists[size_t(slot)]; }
    const std::vector<std::vector<std::unique_ptr<Bound>>>& programs() const { return programs_; }
    size_t bytes() const;

private:
    void place_slots(const Allow& allow);

    const Plan& plan_;
    Runner& runner_;
    Buffers buffers_;
    std::vector<Memory> memory_;
    std::vector<Grid> grids_;
    std::vector<std::vector<std::unique_ptr<Bound>>> programs_;
    std::vector<std::vector<bool>> fused_;               // by program and operator
    std::vector<bool> fused_slots_;                      // what lies between such an operator and its pool
    std::vector<std::vector<Bound*>> grid_users_;        // the operators that a grid belongs to
};

}  // namespace vq
