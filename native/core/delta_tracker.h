// What changed from frame to frame, slot by slot, and which outputs of each operator see it: those are computed on top of
// what the last frame left in the executor's buffers.
#pragma once
#include "executor.h"
#include "work.h"

namespace vq {

class DeltaTracker {
public:
    DeltaTracker(const Plan& plan, Executor& executor, Runner& runner);

    // The share of the input's pixels that changed since the frame before, by a sample of them.
    double estimate_change(const float* input);
    // fresh: this frame fills the buffers, whatever is known of an earlier one.
    void begin(bool fresh) { fresh_ = fresh; }
    // Finds out which pixels of the input changed since it was last copied to slot 0.
    void compare_input(const float* input);
    // Looks again everywhere for what changes, also where that has been of no use.
    void look_everywhere();
    void grid_changed(int32_t index) { grid_changed_[size_t(index)] = 1; }
    void end() { std::fill(grid_changed_.begin(), grid_changed_.end(), uint8_t(0)); }

    // Computes what changed of an operator that is ready.
    Work run(size_t program, size_t i);
    // Of an operator that is fused with the pool behind it, and of that.
    Work run_fused(size_t program, size_t i);

    // By pixel how many groups of 4 channels changed; null where all may have.
    const uint16_t* changed(int32_t slot) const {
        const State& state = states_[size_t(slot)];
        return state.all ? nullptr : state.mask.as<uint16_t>();
    }
    size_t bytes() const;

private:
    // What an operator must compute: everything, or what mask_ names in these rows.
    struct Changed {
        bool anew = false;  // all, and what the last frame left is not even to be compared with
        bool all = false;
        Rows rows;
    };
    // Of a convolution that can add changes to those of the last frame.
    struct Accumulators {
        bool valid = false;  // they belong to the input's codes
        int32_t wait = 0, backoff = 1;  // frames before they are filled again
    };
    // What is known of a slot's change in this frame.
    struct State {
        bool all = true;  // all of it may have changed; else `mask` says
        Memory mask, delta;
        Rows rows;  // outside of these `mask` is 0
        // A slot whose readers computed nearly everything, although they knew what had changed, need not be followed.
        int32_t readers = 0, wasted_tracks = 0;
        bool followed = false;
        int32_t skip = 0, backoff = 1;  // frames for which it is not
        std::vector<const Accumulators*> convolutions;  // of those that read it
    };

    Changed select_pixels(const Bound& bound);
    bool any_changed(int32_t slot) const;
    bool grids_changed(const Op& op) const;
    void begin_steps(Bound& bound, const Changed& changed);
    void narrow(const Bound& bound);
    Work follow_pixels(Bound& bound, Rows rows);
    Work follow_convolution(Convolution& conv, Accumulators& sums, Rows rows);
    Work run_all(Bound& bound);
    void keep_accumulators(Convolution& conv, bool on);

    const Plan& plan_;
    Executor& executor_;
    Runner& runner_;
    bool fresh_ = true;
    std::vector<State> states_;
    std::vector<uint8_t> grid_changed_;
    std::vector<std::vector<Accumulators>> accumulators_;  // by program and operator
    std::vector<float> sample_;  // a few pixels of the last input
    Memory mask_, low_, high_, merged_;
};

}  // namespace vq
