// layer_norm: (x − mean) / √(variance + eps), the mean and variance of each pixel over its channels.
#include "../core/operator.h"
#include "../core/reference.h"

#include <cmath>

namespace vq {
namespace {

struct LayerNormOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    double eps = 0;
};

class LayerNormBound : public PixelBound {
public:
    LayerNormBound(const LayerNormOp& op, const Buffers& buffers)
        : PixelBound(op, buffers), kernel_{input(), output(), op.eps, program()} {}
    void run(Runner& runner, Pixels pixels) override {
        runner.parallel_for(pixels, 64, [&](Pixels part) { runner.kernels.layer_norm(kernel_, part); });
    }

private:
    LayerNorm kernel_;
};

std::unique_ptr<Bound> LayerNormOp::bind(Buffers& buffers) const {
    return std::make_unique<LayerNormBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    auto op = made_of<LayerNormOp>(head);
    op->eps = r.reader.dict("attrs").number("eps");
    if (op->eps < 0) r.reader.fail(": its eps is below 0");
    return op;
}

}  // namespace

const OpType layer_norm_type{"layer_norm", Reads::floats, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

void layer_norm(const LayerNorm& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        const float* in = a.in.f32() + p * a.in.stride;
        const auto total = [&](double from, bool squares) {
            double sums[norm_lanes] = {}, total = 0;
            for (int c = 0; c < a.in.c; c++) {
                const double d = double(in[c]) - from;
                sums[c % norm_lanes] += squares ? d * d : d;
            }
            for (const double sum : sums) total += sum;
            return total;
        };
        const double mean = total(0, false) / a.in.c, variance = total(mean, true) / a.in.c;
        const float scale = float(1 / std::sqrt(variance + a.eps));
        for (int c = 0; c < a.in.c; c++) run_program(a.program, (in[c] - float(mean)) * scale, p, c);
    }
}

}  // namespace reference

}  // namespace vq
