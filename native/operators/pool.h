// max_pool, avg_pool, global_pool, global_sum, global_max: the largest value of every window, the average or the sum.
#pragma once
#include "window.h"

namespace vq {

struct PoolOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    Pool window;  // its numbers
    Taps taps;
};

class PoolBound : public WindowBound {
public:
    PoolBound(const PoolOp& op, const Buffers& buffers);
    void run(Runner& runner, Pixels pixels) override;

    Pool kernel;
};

}  // namespace vq
