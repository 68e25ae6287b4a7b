// softmax: over channels.
#include "list.h"

namespace vq {
namespace {

struct SoftmaxOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class SoftmaxBound : public PixelBound {
public:
    SoftmaxBound(const Op& op, const Buffers& buffers)
        : PixelBound(op, buffers), kernel_{input(), output(), program()} {}
    void run(Runner& runner, Pixels pixels) override {
        runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.softmax(kernel_, part); });
    }

private:
    Softmax kernel_;
};

std::unique_ptr<Bound> SoftmaxOp::bind(Buffers& buffers) const {
    return std::make_unique<SoftmaxBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    return made_of<SoftmaxOp>(head);
}

}  // namespace

const OpType softmax_type = {"softmax", Reads::floats, parse};

}  // namespace vq
