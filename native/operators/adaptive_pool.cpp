// adaptive_avg_pool: averages over windows that divide the map, as PyTorch's.
#include "list.h"

namespace vq {
namespace {

struct AdaptivePoolOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class AdaptivePoolBound : public Bound {
public:
    AdaptivePoolBound(const Op& op, const Buffers& buffers)
        : Bound(op, buffers), kernel_{input(), output(), program()} {}
    void run(Runner& runner, Pixels pixels) override {
        runner.parallel_for(pixels, 1, [&](Pixels part) { runner.kernels.adaptive_pool(kernel_, part); });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs[0], op, mask);
    }

private:
    AdaptivePool kernel_;
};

std::unique_ptr<Bound> AdaptivePoolOp::bind(Buffers& buffers) const {
    return std::make_unique<AdaptivePoolBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_channels(head);
    return made_of<AdaptivePoolOp>(head);
}

}  // namespace

const OpType adaptive_avg_pool_type = {"adaptive_avg_pool", Reads::floats, parse};

}  // namespace vq
