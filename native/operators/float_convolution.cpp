// fconv and fconv_transpose: convolutions in floating point.
#include "../core/operator.h"
#include "../core/reference.h"
#include "weights.h"

#include <algorithm>

namespace vq {
namespace {

struct FloatPart {
    Taps taps;
    Memory weight;  // by group: [tap][input channel][output channels padded to 64]
};

struct FloatConvOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;

    int32_t stride_y = 1, stride_x = 1, groups = 1;
    std::vector<FloatPart> parts;
    Memory bias;
};

std::vector<const Taps*> taps_of(const FloatConvOp& op) {
    std::vector<const Taps*> taps;
    for (const FloatPart& part : op.parts) taps.push_back(&part.taps);
    return taps;
}

class FloatConvBound : public WindowBound {
public:
    FloatConvBound(const FloatConvOp& op, Buffers& buffers)
        : WindowBound(op, buffers, op.stride_y, op.stride_x, taps_of(op)) {
        for (const FloatPart& part : op.parts) {
            const Taps& taps = part.taps;
            FloatConv c;
            c.in = input(), c.out = output();
            c.taps = int32_t(taps.dy.size()), c.dy = taps.dy.data(), c.dx = taps.dx.data();
            c.stride_y = op.stride_y, c.stride_x = op.stride_x;
            c.step_y = taps.step_y, c.step_x = taps.step_x, c.phase_y = taps.phase_y, c.phase_x = taps.phase_x;
            c.groups = op.groups, c.weight = part.weight.as<float>(), c.bias = op.bias.as<float>();
            c.program = program();
            kernels_.push_back(c);
        }
    }
    void run(Runner& runner, Pixels pixels) override {
        for (const FloatConv& kernel : kernels_)
            runner.parallel_for(pixels, 24, [&](Pixels part) { runner.kernels.float_conv(kernel, part); });
    }

private:
    std::vector<FloatConv> kernels_;
};

std::unique_ptr<Bound> FloatConvOp::bind(Buffers& buffers) const {
    return std::make_unique<FloatConvBound>(*this, buffers);
}

Memory pack(const FloatConvOp& op, const Geometry& g, const float* weight, const std::vector<int32_t>& numbers) {
    const int32_t in_each = g.channels / g.groups, out_each = op.c / g.groups, row = (out_each + 63) / 64 * 64;
    Memory packed = Memory::of<float>(size_t(g.groups) * numbers.size() * size_t(in_each) * size_t(row));
    float* out = packed.as<float>();
    for (int32_t group = 0; group < g.groups; group++)
        for (const int32_t tap : numbers)
            for (int32_t k = 0; k < in_each; k++, out += row)
                for (int32_t c = 0; c < out_each; c++)
                    out[c] = weight[(int64_t(group * out_each + c) * in_each + k) * g.count + tap];
    return packed;
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head, bool transposed) {
    auto op = made_of<FloatConvOp>(head);
    const Geometry g(r, *op, transposed);
    const Reader tensors = r.reader.dict("tensors");
    op->groups = g.groups;
    op->stride_y = transposed ? 1 : g.stride[0], op->stride_x = transposed ? 1 : g.stride[1];
    op->bias = r.padded(tensors.floats("bias", op->c), op->c);
    r.take(g.packed_bytes(*op, 0, 63, 4));
    const float* weight = tensors.floats("weight", g.weights);
    std::vector<std::vector<int32_t>> numbers;
    for (Taps& taps : g.parts(*op, numbers)) {
        Memory packed = pack(*op, g, weight, numbers[op->parts.size()]);
        op->parts.push_back({std::move(taps), std::move(packed)});
    }
    return op;
}

}  // namespace

const OpType fconv_type{"fconv", Reads::floats,
                           [](const OpReader& r, const OpHead& head) { return parse(r, head, false); }};
const OpType fconv_transpose_type{"fconv_transpose", Reads::floats,
                                     [](const OpReader& r, const OpHead& head) { return parse(r, head, true); }};

// One value at a time: what the kernels are compared with.
namespace reference {

void float_conv(const FloatConv& a, Pixels pixels) {
    const int32_t group_in = a.in.c / a.groups, group_out = a.out.c / a.groups;
    const int64_t row = (group_out + 63) / 64 * 64;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), out_y = p / a.out.w, out_x = p % a.out.w;
        if (out_y % a.step_y != a.phase_y || out_x % a.step_x != a.phase_x) continue;
        for (int c = 0; c < a.out.c; c++) {
            const int32_t group = c / group_out;
            double sum = 0;
            for (int t = 0; t < a.taps; t++) {
                const int32_t iy = out_y / a.step_y * a.stride_y + a.dy[t];
                const int32_t ix = out_x / a.step_x * a.stride_x + a.dx[t];
                if (iy < 0 || iy >= a.in.h || ix < 0 || ix >= a.in.w) continue;
                const float* in = a.in.f32() + (int64_t(iy) * a.in.w + ix) * a.in.stride + group * group_in;
                const float* weight = a.weight + (int64_t(group) * a.taps + t) * group_in * row;
                for (int first = 0; first < group_in; first += float_chunk) {
                    float part = 0;
                    for (int k = first; k < std::min(first + float_chunk, group_in); k++)
                        part = part + in[k] * weight[k * row + c % group_out];
                    sum += double(part);
                }
            }
            run_program(a.program, float(sum) + a.bias[c], p, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
