// A stream with regions: operators compute the pixels of a frame's region on top of what earlier frames left in the
// executor's buffers, and nothing is read of what stays but by windows at the region's edge.
#pragma once
#include "executor.h"
#include "region.h"
#include "work.h"

namespace vq {

class RegionRunner {
public:
    RegionRunner(const Plan& plan, Executor& executor, Runner& runner);

    // The region of the next frame; with this the frame begins. Blocks are as many as cover the input.
    void begin(const Region& region);
    const Region& region() const { return lists_.region(); }
    // Takes the region's pixels of the input into slot 0, h × w × c, from floats, or from bytes · gain + offset.
    void take(const float* input);
    void take(const uint8_t* picture, const float* gain, const float* offset);
    // Computes an operator that is ready.
    Work run(size_t program, size_t i);
    // After the last operator of a program.
    void end(bool residual) {
        if (residual && !region().none()) lists_.keep_residual_region();
        ended_ = true;
    }
    size_t bytes() const { return lists_.bytes(); }

private:
    void clear_left(const Bound& bound);
    Pixels input_pixels();

    const Plan& plan_;
    Executor& executor_;
    Runner& runner_;
    RegionLists lists_;
    bool ended_ = true;  // the frame before came to its end
};

}  // namespace vq
