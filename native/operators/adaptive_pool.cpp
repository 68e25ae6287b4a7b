// adaptive_avg_pool: averages over windows that divide the map, as PyTorch's.
#include "../core/operator.h"
#include "../core/reference.h"

#include <cmath>

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

const OpType adaptive_avg_pool_type{"adaptive_avg_pool", Reads::floats, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

void adaptive_pool(const AdaptivePool& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        const int top = int(std::floor(double(y) * a.in.h / a.out.h));
        const int left = int(std::floor(double(x) * a.in.w / a.out.w));
        const int bottom = int(std::ceil((y + 1.0) * a.in.h / a.out.h));
        const int right = int(std::ceil((x + 1.0) * a.in.w / a.out.w));
        for (int c = 0; c < a.in.c; c++) {
            double sum = 0;
            for (int iy = top; iy < bottom; iy++)
                for (int ix = left; ix < right; ix++)
                    sum += double(a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c]);
            const double count = double(bottom - top) * double(right - left);
            run_program(a.program, float(sum / count), p, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
