// Operators whose output pixel (y, x) sees input rows y · stride + dy and columns x · stride + dx, or of which phases of
// the output do (transposed convolutions): which outputs see a change.
#pragma once
#include <vector>

#include "../core/operator.h"

namespace vq {

// Some taps of a window: all of it, or those of one phase of a transposed convolution, whose output pixels are those
// congruent to the phase modulo the step.
struct Taps {
    std::vector<int32_t> dy, dx;
    int32_t step_y = 1, step_x = 1, phase_y = 0, phase_x = 0;
};

class WindowBound : public Bound {
public:
    WindowBound(const Op& op, const Buffers& buffers, int32_t stride_y, int32_t stride_x,
                const std::vector<const Taps*>& parts);
    Rows reach(Rows rows) const override;
    void fill_mask(const InputChanges& changes, Rows rows, uint16_t* mask) const override;
    int32_t margin() const override { return margin_; }

private:
    void fill_transposed(const uint16_t* changed, uint16_t* mask) const;

    const int32_t stride_y_, stride_x_;
    const std::vector<const Taps*> parts_;
    std::vector<int32_t> rows_, columns_;  // the offsets of the window
    bool transposed_ = false;
    int32_t margin_ = 0;
};

}  // namespace vq
