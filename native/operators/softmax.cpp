// softmax: over channels.
#include "../core/operator.h"
#include "../core/reference.h"

#include <algorithm>

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

const OpType softmax_type{"softmax", Reads::floats, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

void softmax(const Softmax& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        const float largest = *std::max_element(in, in + a.in.c);
        double sums[norm_lanes] = {}, sum = 0;
        for (int c = 0; c < a.in.c; c++) sums[c % norm_lanes] += double(exponential(in[c] - largest));
        for (const double one : sums) sum += one;
        for (int c = 0; c < a.in.c; c++) run_program(a.program, exponential(in[c] - largest) / float(sum), p, c);
    }
}

}  // namespace reference

}  // namespace vq
