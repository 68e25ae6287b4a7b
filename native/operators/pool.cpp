#include "pool.h"

#include "../core/operator.h"
#include "../core/reference.h"

#include <cmath>

namespace vq {
namespace {

// The rows and the columns of its window; no one asks for their pairs.
void set_taps(PoolOp& op) {
    const Pool& p = op.window;
    for (int32_t k = 0; k < p.kernel_h; k++) op.taps.dy.push_back(k * p.dilation_y - p.top);
    for (int32_t k = 0; k < p.kernel_w; k++) op.taps.dx.push_back(k * p.dilation_x - p.left);
}

std::unique_ptr<Op> parse_global(const OpReader& r, const OpHead& head, PoolKind kind) {
    r.same_channels(head);
    if (head.h != 1 || head.w != 1) r.reader.fail(": a global pool gives one pixel");
    auto op = made_of<PoolOp>(head);
    op->window.kind = kind;
    op->window.kernel_h = op->window.stride_y = r.input(head).h;
    op->window.kernel_w = op->window.stride_x = r.input(head).w;
    set_taps(*op);
    return op;
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head, PoolKind kind) {
    r.same_channels(head);
    auto op = made_of<PoolOp>(head);
    const Slot& in = r.input(head);
    Pool& p = op->window;
    p.kind = kind;
    const Reader attrs = r.reader.dict("attrs");
    const auto kernel = attrs.integers("kernel", 2, 1, largest_side), stride = attrs.integers("stride", 2, 1, largest_side);
    const auto padding = attrs.integers("padding", 4, 0, largest_side);
    p.kernel_h = kernel[0], p.kernel_w = kernel[1], p.stride_y = stride[0], p.stride_x = stride[1];
    p.top = padding[0], p.left = padding[1], p.bottom = padding[2], p.right = padding[3];
    if (attrs.has("dilation")) {
        // Its average would divide by the pixels that a dilated window reaches over.
        if (p.kind == PoolKind::average) r.reader.fail(": an average pool with a dilation is not supported");
        const auto dilation = attrs.integers("dilation", 2, 1, largest_side);
        p.dilation_y = dilation[0], p.dilation_x = dilation[1];
    }
    p.count_padding = attrs.boolean("count_padding", false);
    if (p.top >= p.kernel_h * p.dilation_y || p.left >= p.kernel_w * p.dilation_x ||
        int64_t(head.h - 1) * p.stride_y - p.top >= in.h || int64_t(head.w - 1) * p.stride_x - p.left >= in.w)
        r.reader.fail(": a window lies outside the input");
    set_taps(*op);
    return op;
}

}  // namespace

std::unique_ptr<Bound> PoolOp::bind(Buffers& buffers) const { return std::make_unique<PoolBound>(*this, buffers); }

PoolBound::PoolBound(const PoolOp& op, const Buffers& buffers)
    : WindowBound(op, buffers, op.window.stride_y, op.window.stride_x, {&op.taps}), kernel(op.window) {
    kernel.in = input(), kernel.out = output(), kernel.program = program();
}

void PoolBound::run(Runner& runner, Pixels pixels) {
    runner.parallel_for(pixels, 48, [&](Pixels part) { runner.kernels.pool(kernel, part); });
}

const OpType max_pool_type{
    "max_pool", Reads::floats, [](const OpReader& r, const OpHead& head) { return parse(r, head, PoolKind::max); }};
const OpType avg_pool_type{
    "avg_pool", Reads::floats, [](const OpReader& r, const OpHead& head) { return parse(r, head, PoolKind::average); }};
const OpType global_pool_type{"global_pool", Reads::floats, [](const OpReader& r, const OpHead& head) {
                                     return parse_global(r, head, PoolKind::average);
                                 }};
const OpType global_sum_type{"global_sum", Reads::floats, [](const OpReader& r, const OpHead& head) {
                                    return parse_global(r, head, PoolKind::sum);
                                }};
const OpType global_max_type{"global_max", Reads::floats, [](const OpReader& r, const OpHead& head) {
                                    return parse_global(r, head, PoolKind::max);
                                }};

// One value at a time: what the kernels are compared with.
namespace reference {

void pool(const Pool& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        for (int c = 0; c < a.in.c; c++) {
            float largest = -INFINITY;
            double sum = 0;
            int32_t inside = 0, with_padding = 0;
            for (int ky = 0; ky < a.kernel_h; ky++)
                for (int kx = 0; kx < a.kernel_w; kx++) {
                    const int32_t iy = y * a.stride_y - a.top + ky * a.dilation_y;
                    const int32_t ix = x * a.stride_x - a.left + kx * a.dilation_x;
                    if (iy < a.in.h + a.bottom && ix < a.in.w + a.right) with_padding++;
                    if (iy < 0 || iy >= a.in.h || ix < 0 || ix >= a.in.w) continue;
                    const float value = a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c];
                    if (value > largest) largest = value;
                    sum += double(value);
                    inside++;
                }
            const int32_t count = a.count_padding ? with_padding : inside;
            const float average = inside ? float(sum / (a.kind == PoolKind::sum ? 1 : count)) : 0;
            run_program(a.program, a.kind == PoolKind::max ? largest : average, p, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
