// instance_norm: (x − mean) / √(variance + eps), the mean and variance of each channel, or of each group of neighbouring
// channels, over all pixels.
#include "../core/operator.h"

#include <cmath>

namespace vq {
namespace {

struct InstanceNormOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    double eps = 0;
    int32_t each = 1;  // channels of a group
};

// Sums run over the rows of a band, pixel by pixel, then over the bands: how many threads there are changes no order.
constexpr int32_t most_bands = 32, together = 4;
// Channels that are added together, in vectors of whatever the CPU has.
using Floats = float __attribute__((vector_size(together * 4), aligned(4), may_alias));
using Doubles = double __attribute__((vector_size(together * 8), aligned(8), may_alias));

class InstanceNormBound : public Bound {
public:
    InstanceNormBound(const InstanceNormOp& op, const Buffers& buffers)
        : Bound(op, buffers), eps_(op.eps), each_(op.each), bands_(std::min(op.h, most_bands)), width_(round_up(op.c, together)),
          sums_(Memory::of<double>(size_t(bands_ * width_))), mean_(Memory::of<double>(size_t(width_))),
          shift_(Memory::of<float>(size_t(op.c) + 64)), scale_(Memory::of<float>(size_t(op.c) + 64)),
          program_(steps.size() + 2) {}

    // The mean is taken off and the rest scaled in two steps before the operator's own, so that a channel of one value
    // gives zeros.
    void run(Runner& runner, Pixels pixels) override {
        double* mean = mean_.as<double>();
        std::fill(mean, mean + op.c, 0.0);
        add_up<false>(runner);
        const double count = double(op.pixels()) * each_;
        for (int32_t c = 0; c < op.c; c += each_) std::fill(mean + c, mean + c + each_, total(c) / count);
        add_up<true>(runner);
        for (int32_t c = 0; c < op.c; c++) {
            shift_.as<float>()[c] = float(mean[c]);
            scale_.as<float>()[c] = float(1 / std::sqrt(total(c / each_ * each_) / count + eps_));
        }
        program_[0] = by_channel(Do::sub, shift_);
        program_[1] = by_channel(Do::mul, scale_);
        std::copy(steps.begin(), steps.end(), program_.begin() + 2);
        const Map map{input(), output(), {program_.data(), int32_t(program_.size()), op.c}};
        runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.map(map, part); });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs[0], op, mask);
    }
    size_t bytes() const override { return sums_.bytes() + mean_.bytes() + shift_.bytes() + scale_.bytes(); }

private:
    static Step by_channel(Do kind, const Memory& values) {
        Step step;
        step.kind = kind;
        step.operand = values.as<float>();
        step.operand_channel = 1;
        return step;
    }
    // Σ (x − mean), or of its square, by band and channel. What is added past the last channel no one reads.
    template <bool squares>
    void add_up(Runner& runner) {
        runner.threads->run(bands_, [&](int64_t band) {
            const Tensor in = input();
            const int64_t first = band * in.h / bands_ * in.w, last = (band + 1) * in.h / bands_ * in.w;
            const double* mean = mean_.as<double>();
            double* sums = sums_.as<double>() + band * width_;
            std::fill(sums, sums + width_, 0.0);
            for (int64_t p = first; p < last; p++) {
                const float* values = in.f32() + p * in.stride;
                for (int32_t c = 0; c < op.c; c += together) {
                    const Doubles x = __builtin_convertvector(*reinterpret_cast<const Floats*>(values + c), Doubles);
                    const Doubles d = x - *reinterpret_cast<const Doubles*>(mean + c);
                    *reinterpret_cast<Doubles*>(sums + c) += squares ? d * d : d;
                }
            }
        });
    }
    // Of the group that begins with a channel.
    double total(int32_t channel) const {
        double sum = 0;
        for (int32_t c = channel; c < channel + each_; c++)
            for (int32_t band = 0; band < bands_; band++) sum += sums_.as<double>()[band * width_ + c];
        return sum;
    }

    double eps_;
    int32_t each_;
    int32_t bands_;
    int64_t width_;  // of sums: channels, rounded up
    Memory sums_, mean_, shift_, scale_;
    std::vector<Step> program_;
};

std::unique_ptr<Bound> InstanceNormOp::bind(Buffers& buffers) const {
    return std::make_unique<InstanceNormBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    auto op = made_of<InstanceNormOp>(head);
    const Reader attrs = r.reader.dict("attrs");
    op->eps = attrs.number("eps");
    if (op->eps < 0) r.reader.fail(": its eps is below 0");
    const int32_t groups = attrs.integer("groups", 1, head.c, head.c);
    if (head.c % groups) r.reader.fail(": its groups do not divide the channels");
    op->each = head.c / groups;
    r.take(double(std::min(head.h, most_bands)) * head.c * 8);
    return op;
}

}  // namespace

const OpType instance_norm_type{"instance_norm", Reads::floats, parse};

}  // namespace vq
