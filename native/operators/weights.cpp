#include "weights.h"

#include "../core/reference.h"

#include <numeric>

namespace vq {

Geometry::Geometry(const OpReader& r, Op& op, bool transposed) : transposed(transposed) {
    const Reader attrs = r.reader.dict("attrs");
    const Slot& in = r.input(op);
    channels = in.c;
    kernel = attrs.integers("kernel", 2, 1, 256), stride = attrs.integers("stride", 2, 1, 256);
    dilation = attrs.integers("dilation", 2, 1, 4096), padding = attrs.integers("padding", 4, -4096, 4096);
    groups = attrs.integer("groups", 1, most_channels);
    count = kernel[0] * kernel[1];
    if (count > max_taps / 3) r.reader.fail(": its kernel is too large");
    if (in.c % groups || op.c % groups) r.reader.fail(": channels are not a multiple of groups");
    const int64_t sides[2] = {in.h, in.w}, outs[2] = {op.h, op.w};
    for (size_t axis = 0; axis < 2; axis++) {
        const int64_t reach = int64_t(dilation[axis]) * (kernel[axis] - 1) + 1;
        const int64_t around = padding[axis] + padding[axis + 2];
        if (transposed) {
            const auto extra = attrs.integers("output_padding", 2, 0, 256);
            if ((sides[axis] - 1) * stride[axis] + reach - around + extra[axis] != outs[axis]) r.wrong_size();
        } else if (sides[axis] + around < reach || (sides[axis] + around - reach) / stride[axis] + 1 != outs[axis])
            r.wrong_size();
    }
    weights = int64_t(op.c) * (in.c / groups) * count;
    if (weights >= most_elements) r.reader.fail(": its weights are too large");
    op.macs = int64_t(transposed ? in.h : op.h) * (transposed ? in.w : op.w) * weights;
}

double Geometry::packed_bytes(const OpHead& op, double more_in, double more_out, double each) const {
    const double phases = double(phase_rows(op)) * phase_columns(op);
    const double taps = std::max(double(count), phases);  // a phase without taps has one of zeros
    return phases * 4096 + taps * groups * (double(channels / groups) + more_in) * (double(op.c / groups) + more_out) * each;
}

std::vector<Taps> Geometry::parts(const Op& op, std::vector<std::vector<int32_t>>& numbers) const {
    std::vector<Taps> parts;
    for (int32_t py = 0; py < phase_rows(op); py++)
        for (int32_t px = 0; px < phase_columns(op); px++) {
            Taps part;
            std::vector<int32_t> taps;
            if (transposed) {
                part.step_y = stride[0], part.step_x = stride[1];
                part.phase_y = py, part.phase_x = px;
            }
            for (int32_t ky = 0; ky < kernel[0]; ky++)
                for (int32_t kx = 0; kx < kernel[1]; kx++) {
                    int32_t dy = ky * dilation[0] - padding[0], dx = kx * dilation[1] - padding[1];
                    if (transposed) {
                        // Output row y takes input row (y + top − ky · dilation) / stride where that is whole.
                        dy = py - dy;
                        dx = px - dx;
                        if (dy % stride[0] || dx % stride[1]) continue;
                        dy /= stride[0];
                        dx /= stride[1];
                    }
                    part.dy.push_back(dy);
                    part.dx.push_back(dx);
                    taps.push_back(ky * kernel[1] + kx);
                }
            if (taps.empty()) {  // no weight reaches this phase: a tap far outside reads zeros
                part.dy.push_back(1 << 20);
                part.dx.push_back(1 << 20);
                taps.push_back(0);
            }
            parts.push_back(std::move(part));
            numbers.push_back(std::move(taps));
        }
    return parts;
}

SparseWeights sparse_weights(const OpHead& op, const Geometry& g, const Taps& taps, const std::vector<int32_t>& numbers,
                             const int8_t* weight, int32_t zero) {
    const int32_t in_each = g.channels / g.groups, out_each = op.c / g.groups;
    std::vector<size_t> order(numbers.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return std::make_pair(taps.dy[a], taps.dx[a]) < std::make_pair(taps.dy[b], taps.dx[b]);
    });
    SparseWeights made;
    made.row = out_each == 1 ? 1 : (out_each + 15) / 16 * 16;
    made.weight = Memory::of<float>(numbers.size() * size_t(g.channels) * size_t(made.row));
    float* out = made.weight.as<float>();
    for (const size_t t : order) {
        made.dy.push_back(taps.dy[t]);
        made.dx.push_back(taps.dx[t]);
        for (int32_t k = 0; k < g.channels; k++, out += made.row)
            for (int32_t c = 0; c < out_each; c++)
                out[c] = float(
                    weight[(int64_t(k / in_each * out_each + c) * in_each + k % in_each) * g.count + numbers[t]] - zero);
    }
    return made;
}

SparseTaps sparse_taps(const OpHead& op, const SparseWeights& weights, int32_t in_channels, int32_t groups,
                       const float* scale) {
    SparseTaps s;
    s.taps = int32_t(weights.dy.size()), s.dy = weights.dy.data(), s.dx = weights.dx.data();
    if (!s.taps) return s;
    s.weight = weights.weight.as<float>(), s.row = weights.row;
    s.in_each = in_channels / groups, s.out_each = op.c / groups;
    s.scale = scale;
    return s;
}

// One value at a time: what the kernels are compared with.
namespace reference {

// scale · Σ S · weight for one output channel.
float sparse_sum(const SparseTaps& s, const Tensor& in, int32_t y, int32_t x, int c) {
    const int32_t group = c / s.out_each;
    float sum = 0;
    for (int t = 0; t < s.taps; t++) {
        const int32_t iy = y + s.dy[t], ix = x + s.dx[t];
        if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
        const int64_t at = int64_t(iy) * in.w + ix;
        for (int32_t e = s.input.begin[at]; e < s.input.begin[at + 1]; e++) {
            const int32_t channel = s.input.elements[e].channel;
            if (channel / s.in_each == group)
                sum =
                    sum + s.input.elements[e].value * s.weight[(int64_t(t) * in.c + channel) * s.row + c % s.out_each];
        }
    }
    return s.scale[c] * sum;
}

}  // namespace reference

}  // namespace vq
