// Random cases of every kernel: shapes, tails, strides, paddings, programs and sets of pixels.
#pragma once
#include <functional>

#include "../core/kernels.h"
#include "../core/plan.h"
#include "world.h"

namespace vq::test {

using Call = std::function<void(const Kernels&)>;

inline Grid random_grid(Random& r) {
    Grid g;
    static const float scales[] = {0.5f, 0.25f, 0.037f, 0.0131f, 1.7f};
    g.scale = r.pick(scales);
    g.inverse = 1 / g.scale;
    g.low = r.chance(70) ? 0 : r.between(0, 100);
    g.high = r.chance(70) ? 255 : r.between(g.low + 1, 255);
    g.zero = r.chance(30) ? 0 : r.between(g.low, g.high);
    return g;
}

// The other operand of add … rdiv: a whole tensor, or one number per channel, per pixel, or for all.
inline void add_operand(World& world, Step& step, const Tensor& out, Random& r) {
    const int64_t whole = out.pixels() * out.c;
    switch (r.between(0, 3)) {
        case 0: step.operand = world.floats("operand h×w×c", whole, r), step.operand_pixel = out.c; break;
        case 1: step.operand = world.floats("operand 1×1×c", out.c, r), step.operand_pixel = 0; break;
        case 2: step.operand = world.floats("operand h×w×1", out.pixels(), r), step.operand_pixel = 1; break;
        default: step.operand = world.floats("operand 1×1×1", 1, r), step.operand_pixel = 0;
    }
    step.operand_channel = world.buffers.back().name.back() == 'c';
}

// Dense + Sparse: a step may keep what lies outside its grid.
inline void add_sparse_part(World& world, Step& step, const Tensor& out, Random& r) {
    step.sparse = r.chance(40);
    if (!step.sparse || step.kind == Do::store_values) return;
    step.staged.counts = world.array<uint16_t>("staged counts", out.pixels());
    step.staged.few = world.array<uint32_t>("staged elements, few", out.pixels() * few_elements);
    step.staged.more = world.array<uint32_t>("staged elements, more", out.pixels() * out.c);
}

// The sparse part of a tensor, from none to all of it.
inline Sparse random_sparse(World& world, const Tensor& t, Random& r) {
    static const int densities[] = {0, 1, 1, 10, 100};
    const int density = r.pick(densities), pixels = r.between(0, 100);
    auto& begin = world.own<std::vector<int32_t>>();
    Memory& elements = world.own(Memory::of<SparseElement>(size_t(t.pixels() * t.c)));
    int32_t count = 0;
    for (int64_t p = 0; p < t.pixels(); p++) {
        begin.push_back(count);
        if (!r.chance(pixels)) continue;
        for (int c = 0; c < t.c; c++) {
            if (!r.chance(density)) continue;
            const float value = std::ldexp(float(r.between(-2047, 2047)), r.chance(80) ? -8 : r.between(-24, 4));
            elements.as<SparseElement>()[count++] = {uint32_t(p % t.w * t.c + c), value};
        }
    }
    begin.push_back(count);
    return {begin.data(), elements.as<SparseElement>()};
}

// Taps are in order of rows and columns already.
template <class Args>
void add_sparse_taps(World& world, Args& a, int groups, Random& r) {
    SparseTaps& s = a.sparse;
    s.input = random_sparse(world, a.in, r);
    s.taps = a.taps, s.dy = a.dy, s.dx = a.dx;
    s.in_each = a.in.c / groups, s.out_each = a.out.c / groups;
    s.row = s.out_each == 1 ? 1 : (s.out_each + 15) / 16 * 16;
    Memory& weight = world.own(Memory::of<float>(size_t(s.taps * int64_t(a.in.c) * s.row)));
    for (int64_t i = 0; i < s.taps * int64_t(a.in.c) * s.row; i++) weight.as<float>()[i] = float(r.between(-255, 255));
    s.weight = weight.as<float>();
    s.scale = world.per_channel("weights' scale", a.out.c, r);
}

inline Step step_of(World& world, Do kind, const Tensor& out, Random& r) {
    Step s;
    s.kind = kind;
    s.grid = random_grid(r);
    switch (kind) {
        case Do::clamp:
            s.a = r.chance(30) ? -INFINITY : r.uniform(-1, 0.5f);
            s.b = r.chance(30) ? INFINITY : r.uniform(0.5f, 6);
            if (r.chance(50)) s.a = 0;
            break;
        case Do::prelu: s.channel_a = world.per_channel("slopes", out.c, r); break;
        case Do::affine:
            s.channel_a = world.per_channel("weights", out.c, r);
            s.channel_b = world.per_channel("biases", out.c, r);
            break;
        case Do::add: case Do::sub: case Do::rsub: case Do::mul: case Do::div: case Do::rdiv:
            add_operand(world, s, out, r);
            break;
        case Do::store: case Do::store_values:
            s.out = world.f32("stored", out.h, out.w, out.c, r);
            if (kind == Do::store_values) add_sparse_part(world, s, out, r);
            break;
        case Do::store_residual:
            s.out = world.codes("codes", out.h, out.w, out.c, s.grid, r);
            s.reference = world.f32("reference", out.h, out.w, out.c, r);
            s.update = r.chance(50);
            add_sparse_part(world, s, out, r);
            break;
        case Do::store_codes:
            s.out = world.codes("codes", out.h, out.w, out.c, s.grid, r);
            add_sparse_part(world, s, out, r);
            if (s.sparse || r.chance(50)) break;
            s.track.delta = world.array<int8_t>("delta", out.pixels() * s.out.stride);
            s.track.moved = world.array<uint16_t>("moved", out.pixels());
            s.track.tau = r.chance(50) ? 0 : r.between(1, 60);
            break;
        default: s.a = r.uniform(0, 1), s.b = r.uniform(0, 1);
    }
    return s;
}
inline Step arithmetic_step(World& world, const Tensor& out, Random& r) {
    return step_of(world, Do(r.between(int(Do::clamp), int(Do::rdiv))), out, r);
}
inline Step storing_step(World& world, const Tensor& out, Random& r) {
    return step_of(world, Do(r.between(int(Do::store), int(Do::store_values))), out, r);
}

// Steps, at least one of which stores. Often a clamp and codes, which has paths of its own.
inline Program random_program(World& world, std::vector<Step>& steps, const Tensor& out, Random& r) {
    if (r.chance(30)) {
        if (r.chance(70)) steps.push_back(step_of(world, Do::clamp, out, r));
        steps.push_back(step_of(world, Do::store_codes, out, r));
        return {steps.data(), int32_t(steps.size()), out.c};
    }
    for (int i = r.between(0, 3); i > 0; i--) steps.push_back(arithmetic_step(world, out, r));
    steps.push_back(storing_step(world, out, r));
    if (r.chance(30)) steps.push_back(arithmetic_step(world, out, r));
    if (steps.back().kind < Do::store || r.chance(20)) steps.push_back(storing_step(world, out, r));
    return {steps.data(), int32_t(steps.size()), out.c};
}

// All pixels, a run of them, or a list.
inline Pixels random_pixels(World& world, const Tensor& out, Random& r) {
    const int n = int(out.pixels());
    if (r.chance(40)) return {nullptr, 0, n};
    if (r.chance(50)) {
        const int begin = r.between(0, n - 1);
        return {nullptr, begin, r.between(begin, n)};
    }
    auto& list = world.own<std::vector<int32_t>>();
    const int share = r.between(1, 99);
    for (int p = 0; p < n; p++)
        if (r.chance(share)) list.push_back(p);
    const int count = int(list.size()), begin = r.between(0, count);
    return {list.data(), begin, r.between(begin, count)};
}

inline std::string size(const char* name, const Tensor& t) {
    return std::string(" ") + name + " " + std::to_string(t.h) + "×" + std::to_string(t.w) + "×" + std::to_string(t.c);
}

// What all operators have: a program and pixels.
template <class Args>
Call finish_case(World& world, const Args& a, Random& r, void (*Kernels::*kernel)(const Args&, Pixels)) {
    Args args = a;
    world.shape += size("out", args.out);
    args.program = random_program(world, world.own<std::vector<Step>>(), args.out, r);
    for (int i = 0; i < args.program.count; i++)
        world.shape += " step " + std::to_string(int(args.program.steps[i].kind));
    const Pixels pixels = random_pixels(world, args.out, r);
    return [args, pixels, kernel](const Kernels& kernels) { (kernels.*kernel)(args, pixels); };
}

inline Call map_case(World& world, Random& r) {
    Map a;
    a.in = world.f32("in", r.between(1, 9), r.between(1, 9), r.channels(), r);
    a.out = a.in;
    return finish_case(world, a, r, &Kernels::map);
}

inline Call dequantize_case(World& world, Random& r) {
    Dequantize a;
    a.grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 9), r.between(1, 9), r.channels(), a.grid, r);
    a.out = a.in;
    if (r.chance(30)) a.sparse = random_sparse(world, a.in, r);
    return finish_case(world, a, r, &Kernels::dequantize);
}

// The output size of a window along one axis, rounded up or down.
inline int window_size(int in, int before, int after, int kernel, int dilation, int stride, bool ceil) {
    const int room = in + before + after - (kernel - 1) * dilation - 1;
    if (room < 0) return 0;
    int out = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (ceil && (out - 1) * stride >= in + before) out--;  // a window begins inside, as PyTorch demands
    return out;
}

inline Call pool_case(World& world, Random& r) {
    Pool a;
    do {
        a.in = {nullptr, r.between(1, 14), r.between(1, 14), 0, 0};
        a.kind = r.chance(50) ? PoolKind::max : PoolKind::average;
        a.kernel_h = r.between(1, 5), a.kernel_w = r.between(1, 5);
        if (r.chance(15)) a.kernel_h = a.in.h, a.kernel_w = a.in.w;
        a.stride_y = r.between(1, 3), a.stride_x = r.between(1, 3);
        a.top = r.between(0, a.kernel_h / 2), a.left = r.between(0, a.kernel_w / 2);
        a.bottom = r.between(0, a.kernel_h / 2), a.right = r.between(0, a.kernel_w / 2);
        const bool dilated = a.kind == PoolKind::max && r.chance(30);
        a.dilation_y = dilated ? r.between(1, 3) : 1, a.dilation_x = dilated ? r.between(1, 3) : 1;
        a.count_padding = r.chance(50);
        const bool ceil = r.chance(50);
        a.out.h = window_size(a.in.h, a.top, a.bottom, a.kernel_h, a.dilation_y, a.stride_y, ceil);
        a.out.w = window_size(a.in.w, a.left, a.right, a.kernel_w, a.dilation_x, a.stride_x, ceil);
    } while (a.out.h < 1 || a.out.w < 1);
    a.in = world.f32("in", a.in.h, a.in.w, r.channels(), r);
    a.out.c = a.in.c;
    world.shape += size("in", a.in) + " kernel " + std::to_string(a.kernel_h) + "×" + std::to_string(a.kernel_w);
    return finish_case(world, a, r, &Kernels::pool);
}

inline Call adaptive_pool_case(World& world, Random& r) {
    AdaptivePool a;
    a.in = world.f32("in", r.between(1, 12), r.between(1, 12), r.channels(), r);
    a.out = {nullptr, r.between(1, 13), r.between(1, 13), a.in.c, 0};
    world.shape += size("in", a.in);
    return finish_case(world, a, r, &Kernels::adaptive_pool);
}

inline Call resize_case(World& world, Random& r) {
    Resize a;
    a.in = world.f32("in", r.between(1, 9), r.between(1, 9), r.channels(), r);
    a.out = {nullptr, r.between(1, 20), r.between(1, 20), a.in.c, 0};
    a.mode = r.chance(30) ? ResizeMode::nearest : ResizeMode::bilinear;
    a.align_corners = r.chance(30);
    const auto scale = [&](int in, int out) {
        if (a.align_corners) return out > 1 ? float(in - 1) / float(out - 1) : 0.0f;
        return float(in) / (float(out) + (r.chance(30) ? 0.5f : 0.0f));  // sizes that a given scale cut
    };
    a.scale_y = scale(a.in.h, a.out.h), a.scale_x = scale(a.in.w, a.out.w);
    world.shape += size("in", a.in);
    return finish_case(world, a, r, &Kernels::resize);
}

// Any memory may be staged: channels that there are not become the last.
inline Call copy_sparse_case(World& world, Random& r) {
    SparseCopy a;
    a.c = r.channels(), a.w = r.between(1, 9);
    const int64_t pixels = a.w * r.between(1, 9);
    const auto fill = [&](uint32_t* elements, int64_t count) {
        for (int64_t i = 0; i < count; i++) {
            const uint32_t half = uint32_t(r.between(0, 0x7BFF)) | (r.chance(50) ? 0x8000u : 0);
            elements[i] = half << 16 | uint32_t(r.chance(90) ? r.between(0, a.c - 1) : r.between(0, 0xFFFF));
        }
        return elements;
    };
    a.staged.few = fill(world.array<uint32_t>("few elements", pixels * few_elements), pixels * few_elements);
    a.staged.more = fill(world.array<uint32_t>("more elements", pixels * a.c), pixels * a.c);
    auto& begin = world.own<std::vector<int32_t>>(std::vector<int32_t>{0});
    const int share = r.between(0, 100);
    for (int64_t p = 0; p < pixels; p++) begin.push_back(begin.back() + (r.chance(share) ? r.between(0, a.c) : 0));
    a.begin = begin.data();
    a.elements = reinterpret_cast<SparseElement*>(world.array<uint64_t>("elements of the list", begin.back()));
    const int64_t first = r.between(0, int(pixels)), last = r.between(int(first), int(pixels));
    return [a, first, last](const Kernels& kernels) { kernels.copy_sparse(a, first, last); };
}

inline Call softmax_case(World& world, Random& r) {
    Softmax a;
    a.in = world.f32("in", r.between(1, 6), r.between(1, 6), r.channels(), r);
    a.out = a.in;
    return finish_case(world, a, r, &Kernels::softmax);
}

inline Call move_case(World& world, Random& r) {
    Move a;
    a.kind = MoveKind(r.between(0, int(MoveKind::shuffle_dcr)));
    a.inputs = a.kind == MoveKind::concat ? r.between(1, 5) : 1;
    const int h = r.between(1, 8), w = r.between(1, 8);
    const bool shuffle = a.kind == MoveKind::shuffle_crd || a.kind == MoveKind::shuffle_dcr;
    a.factor = shuffle ? r.between(1, 3) : 1;
    auto& tensors = world.own<std::vector<Tensor>>();
    for (int k = 0; k < a.inputs; k++) {
        const int channels = a.kind == MoveKind::concat && r.chance(40) ? 16 * r.between(1, 3) : r.channels();
        tensors.push_back(world.f32("in " + std::to_string(k), h, w, channels * a.factor * a.factor, r));
        world.shape += size("in", tensors.back());
    }
    a.in = tensors.data();
    a.out = {nullptr, h * a.factor, w * a.factor, a.in->c / (a.factor * a.factor), 0};
    if (a.kind == MoveKind::concat) {
        a.out.c = 0;
        for (const Tensor& t : tensors) a.out.c += t.c;
    } else if (a.kind == MoveKind::slice) {
        a.dim = r.between(1, 3);
        int32_t& length = a.dim == 1 ? a.out.h : a.dim == 2 ? a.out.w : a.out.c;
        a.start = r.between(0, length - 1);
        a.every = r.between(1, 3);
        length = r.between(1, (length - a.start + a.every - 1) / a.every);
    } else if (!shuffle) {
        const auto padding = [&](int32_t length) {  // reflect mirrors at most the whole axis without its edge
            return a.kind == MoveKind::pad_reflect ? r.between(0, length - 1) : r.between(0, 4);
        };
        a.top = padding(h), a.left = padding(w);
        a.out.h += a.top + padding(h), a.out.w += a.left + padding(w);
        if (r.chance(40)) a.front = padding(a.out.c), a.out.c += a.front + padding(a.in->c);
        a.value = r.value();
    }
    return finish_case(world, a, r, &Kernels::move);
}

// The taps of a kernel: as a convolution, or one phase of a transposed one.
template <class Args>
void random_taps(World& world, Args& a, Random& r) {
    const int kh = r.between(1, 4), kw = r.between(1, 4), dilation = r.between(1, 2);
    const int top = r.between(0, kh), left = r.between(0, kw);
    auto &dy = world.own<std::vector<int32_t>>(), &dx = world.own<std::vector<int32_t>>();
    for (int y = 0; y < kh; y++)
        for (int x = 0; x < kw; x++) dy.push_back(y * dilation - top), dx.push_back(x * dilation - left);
    a.taps = kh * kw;
    a.dy = dy.data(), a.dx = dx.data();
    a.stride_y = r.between(1, 2), a.stride_x = r.between(1, 2);
    world.shape += " kernel " + std::to_string(kh) + "×" + std::to_string(kw) + " dilation " +
                   std::to_string(dilation) + " stride " + std::to_string(a.stride_y) + "×" +
                   std::to_string(a.stride_x);
}
template <class Args>
void random_phase(World& world, Args& a, Random& r) {
    if (r.chance(70)) return;
    a.stride_y = a.stride_x = 1;
    a.step_y = r.between(1, 3), a.step_x = r.between(1, 3);
    a.phase_y = r.between(0, a.step_y - 1), a.phase_x = r.between(0, a.step_x - 1);
    world.shape += " phase " + std::to_string(a.phase_y) + "," + std::to_string(a.phase_x) + " of " +
                   std::to_string(a.step_y) + "×" + std::to_string(a.step_x);
}

inline Call float_conv_case(World& world, Random& r) {
    FloatConv a;
    random_taps(world, a, r);
    random_phase(world, a, r);
    a.groups = r.chance(60) ? 1 : r.between(1, 20);
    const int in_each = a.groups == 1 ? r.channels() : r.between(1, 4),
              out_each = a.groups == 1 ? r.channels() : r.between(1, 20);
    a.in = world.f32("in", r.between(1, 7), r.between(1, 7), a.groups * in_each, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, 7), a.groups * out_each, 0};
    a.weight = world.floats("weight", int64_t(a.groups) * a.taps * in_each * ((out_each + 63) / 64 * 64), r);
    a.bias = world.per_channel("bias", a.out.c, r);
    world.shape += size("in", a.in) + " groups " + std::to_string(a.groups);
    return finish_case(world, a, r, &Kernels::float_conv);
}

// A quantized convolution whose weights the engine itself packed.
inline Conv random_conv(World& world, Random& r, int& groups) {
    Conv a;
    random_taps(world, a, r);
    random_phase(world, a, r);
    groups = r.chance(60) ? 1 : r.between(1, 6);
    const int in_each = groups == 1 ? r.channels() : r.between(1, 20),
              out_each = groups == 1 ? r.channels() : r.between(1, 20);
    const Grid grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 7), r.between(1, 7), groups * in_each, grid, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, 7), groups * out_each, 0};
    world.shape += size("in", a.in) + " groups " + std::to_string(groups);

    std::vector<int8_t> weight(size_t(a.out.c) * size_t(in_each * a.taps));
    for (int8_t& w : weight) w = int8_t(r.between(-128, 127));
    std::vector<int32_t> taps;
    for (int t = 0; t < a.taps; t++) taps.push_back(t);
    Part& part = world.own<Part>();
    pack_conv(part, weight.data(), a.out.c, a.in.c, groups, a.taps, taps);
    a.blocks = part.blocks.data();
    a.block_count = int32_t(part.blocks.size());

    uint8_t* zeros = world.array<uint8_t>("zeros", a.in.stride);
    std::memset(zeros, grid.zero, size_t(a.in.stride));
    a.zeros = zeros;
    int32_t* start = world.array<int32_t>("start", a.out.c + 128);
    for (int c = 0; c < a.out.c; c++) start[c] = -grid.zero * part.sums.as<int32_t>()[c];
    a.start = start;
    float* scale = world.per_channel("scale", a.out.c, r);
    for (int c = 0; c < a.out.c; c++) scale[c] *= 1e-4f;
    a.scale = scale;
    a.bias = world.per_channel("bias", a.out.c, r);
    return a;
}

inline void add_accumulators(World& world, Conv& a) {
    a.accumulator_stride = (a.out.c + 15) / 16 * 16 + 64;  // vectors write past the last channel
    a.accumulators = world.array<int32_t>("accumulators", a.out.pixels() * a.accumulator_stride);
    world.buffers.back().row = a.accumulator_stride;
    world.buffers.back().valid = a.out.c;
}

// Blocks that do not begin at a group of 4 channels count a group that they share twice.
inline Call finish_conv(World& world, const Conv& a, Random& r, void (*Kernels::*kernel)(const Conv&, Pixels)) {
    const Call call = finish_case(world, a, r, kernel);
    for (int k = 0; k < a.block_count; k++)
        if (a.blocks[k].first % 4)
            for (Buffer& b : world.buffers) b.counts |= b.name == "moved";
    return call;
}

inline Call conv_case(World& world, Random& r) {
    int groups;
    Conv a = random_conv(world, r, groups);
    if (r.chance(30)) add_accumulators(world, a);
    if (r.chance(40)) add_sparse_taps(world, a, groups, r);
    return finish_conv(world, a, r, &Kernels::conv);
}

// The accumulators are those of earlier codes; some of these then change, and `delta` and `moved` say how.
inline Call conv_residual_case(World& world, Random& r) {
    int groups;
    Conv a = random_conv(world, r, groups);
    add_accumulators(world, a);
    find_kernels("reference")->conv(a, {nullptr, 0, a.out.pixels()});
    int8_t* delta = world.array<int8_t>("delta of in", a.in.pixels() * a.in.stride);
    uint16_t* moved = world.array<uint16_t>("moved of in", a.in.pixels());
    const int pixels = r.between(0, 100), share = r.between(1, 100), most = r.between(1, 127);
    for (int64_t p = 0; p < a.in.pixels(); p++) {
        if (!r.chance(pixels)) continue;
        for (int c = 0; c < a.in.c; c++) {
            if (!r.chance(share)) continue;
            uint8_t& code = a.in.u8()[p * a.in.stride + c];
            const int change = r.between(code < most ? -code : -most, code > 255 - most ? 255 - code : most);
            code = uint8_t(code + change);
            delta[p * a.in.stride + c] = int8_t(change);
            moved[p] |= change != 0;
        }
    }
    a.delta = delta;
    a.moved = moved;
    return finish_conv(world, a, r, &Kernels::conv_residual);
}

inline Call depthwise_case(World& world, Random& r) {
    Depthwise a;
    random_taps(world, a, r);
    const Grid grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 7), r.between(1, 7), r.channels(), grid, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, 7), a.in.c, 0};
    world.shape += size("in", a.in);
    std::vector<int8_t> weight(size_t(a.in.c * a.taps));
    for (int8_t& w : weight) w = int8_t(r.between(-128, 127));
    Part& part = world.own<Part>();
    pack_depthwise(part, weight.data(), a.in.c, a.taps);
    a.weight = part.flat.as<int8_t>();
    a.interleaved = part.interleaved.as<int8_t>();
    uint8_t* zeros = world.array<uint8_t>("zeros", a.in.stride);
    std::memset(zeros, grid.zero, size_t(a.in.stride));
    a.zeros = zeros;
    int32_t* start = world.array<int32_t>("start", (a.in.c + 63) / 64 * 64);
    for (int c = 0; c < a.in.c; c++) start[c] = -grid.zero * part.sums.as<int32_t>()[c];
    a.start = start;
    float* scale = world.per_channel("scale", a.in.c, r);
    for (int c = 0; c < a.in.c; c++) scale[c] *= 1e-3f;
    a.scale = scale;
    a.bias = world.per_channel("bias", a.in.c, r);
    if (r.chance(40)) add_sparse_taps(world, a, a.in.c, r);
    return finish_case(world, a, r, &Kernels::depthwise);
}

// The network's input: at most 4 channels, one step; its memory is the caller's and ends with its last value.
inline Call quantize_input_case(World& world, Random& r) {
    Map a;
    auto& input = world.own<std::vector<float>>();
    a.in = {nullptr, r.between(1, 9), r.between(1, 9), r.between(1, 4), 0};
    a.in.stride = a.in.c;
    for (int64_t i = 0; i < a.in.pixels() * a.in.c; i++) input.push_back(r.value());
    a.in.data = input.data();
    a.out = a.in;
    auto& step = world.own<Step>(step_of(world, Do::store_codes, a.out, r));
    step.sparse = false, step.staged = Staged();
    for (int64_t p = 0; p < a.out.pixels(); p++)  // kernels may write the padding, but only zeros
        for (int64_t c = a.out.c; c < step.out.stride; c++) step.out.u8()[p * step.out.stride + c] = 0;
    a.program = {&step, 1, a.out.c};
    world.shape += size("in", a.in);
    const Pixels pixels = random_pixels(world, a.out, r);
    return [a, pixels](const Kernels& kernels) { kernels.quantize_input(a, pixels); };
}

inline Call finite_case(World& world, Random& r) {
    const int count = r.between(1, 200);
    auto& values = world.own<std::vector<float>>();  // read to the last and no further
    for (int i = 0; i < count; i++) values.push_back(r.value());
    static const float others[] = {NAN, -NAN, INFINITY, -INFINITY, 3.4028235e38f, 1e-45f};
    if (r.chance(70)) values[size_t(r.between(0, count - 1))] = r.pick(others);
    auto* answer = world.array<uint8_t>("answer", 1);
    world.shape = " of " + std::to_string(count);
    return [=, &values](const Kernels& kernels) { *answer = kernels.finite(values.data(), count); };
}

inline Call window_map_case(World& world, Random& r) {
    WindowMap m;
    m.in_h = r.between(1, 9), m.in_w = r.between(1, 70), m.out_last = r.between(1, 9);
    m.out_first = r.between(0, m.out_last);
    m.stride_y = r.between(1, 3), m.stride_x = r.between(1, 3);
    m.out_w = r.between(1, (m.in_w + m.stride_x - 1) / m.stride_x);
    auto* in = world.array<uint16_t>("map", int64_t(m.in_h) * m.in_w);
    for (int64_t i = 0; i < int64_t(m.in_h) * m.in_w; i++)
        in[i] = uint16_t(r.chance(50) ? 0 : r.chance(80) ? r.between(1, 99) : r.between(0, 0xFFFF));
    m.in = in;
    m.out = world.array<uint16_t>("windows", int64_t(m.out_last) * m.out_w);
    auto &rows = world.own<std::vector<int32_t>>(), &columns = world.own<std::vector<int32_t>>();
    for (int i = r.between(1, 4); i > 0; i--) rows.push_back(r.between(-4, 4));
    for (int i = r.between(1, 4); i > 0; i--) columns.push_back(r.between(-4, 4));
    m.rows = rows.data(), m.row_count = int32_t(rows.size());
    m.columns = columns.data(), m.column_count = int32_t(columns.size());
    m.margin = 4 + m.stride_x;
    m.scratch = world.own(Memory::of<uint16_t>(size_t(m.in_w + 2 * m.margin))).as<uint16_t>();
    world.shape = " in " + std::to_string(m.in_h) + "×" + std::to_string(m.in_w);
    return [m](const Kernels& kernels) { kernels.window_map(m); };
}

inline Call split_case(World& world, Random& r) {
    const int count = r.between(1, 200), begin = r.between(0, count - 1), end = r.between(begin, count);
    auto* map = world.array<uint16_t>("map", count);
    for (int i = 0; i < count; i++)
        map[i] = uint16_t(r.chance(60) ? 0 : r.chance(80) ? r.between(1, 30) : r.between(0, 0xFFFF));
    const uint16_t limit = uint16_t(r.between(1, 40));
    auto &low = world.own(Memory::of<int32_t>(size_t(count) + 16)),
         &high = world.own(Memory::of<int32_t>(size_t(count) + 16));
    auto* found = world.array<int32_t>("low and high", 2 * count);
    auto* counts = world.array<int64_t>("counts and total", 3);
    world.shape = " pixels " + std::to_string(begin) + " to " + std::to_string(end);
    return [=, &low, &high](const Kernels& kernels) {
        auto *lows = low.as<int32_t>(), *highs = high.as<int32_t>();
        kernels.split(map, begin, end, limit, lows, counts[0], highs, counts[1], counts[2]);
        std::memcpy(found, lows, size_t(counts[0]) * 4);
        std::memcpy(found + count, highs, size_t(counts[1]) * 4);
    };
}

// Read to the last value and no further.
inline std::vector<float>& values_of(World& world, Random& r) {
    auto& values = world.own<std::vector<float>>();
    for (int i = r.between(1, 300); i > 0; i--) values.push_back(r.value());
    world.shape = " of " + std::to_string(values.size());
    return values;
}

inline Call lane_sums_case(World& world, Random& r) {
    const std::vector<float>& values = values_of(world, r);
    const double from = r.chance(50) ? 0.0 : r.value() / 3.0;
    const bool squares = r.chance(50);
    auto* lanes = world.array<double>("lanes", feature_lanes);
    return [=, &values](const Kernels& kernels) {
        kernels.lane_sums(values.data(), int64_t(values.size()), from, squares, lanes);
    };
}

inline Call between_case(World& world, Random& r) {
    std::vector<float>& values = values_of(world, r);
    if (r.chance(30)) values[size_t(r.between(0, int(values.size()) - 1))] = r.chance(50) ? NAN : -INFINITY;
    const int32_t low = r.chance(20) ? INT32_MIN : order_key(r.value()),
                  high = r.chance(20) ? INT32_MAX : order_key(r.value());
    auto& room = world.own(Memory::of<float>(values.size() + 16));
    auto* found = world.array<uint32_t>("found", int64_t(values.size()));
    auto* counts = world.array<int64_t>("found and below", 2);
    return [=, &values, &room](const Kernels& kernels) {
        kernels.between(values.data(), int64_t(values.size()), low, high, room.as<float>(), counts[0], counts[1]);
        std::memcpy(found, room.as<float>(), size_t(counts[0]) * 4);
    };
}

inline Call order_case(World& world, Random& r) {
    std::vector<float>& values = values_of(world, r);
    values.resize(std::min(values.size(), size_t(most_ordered)));
    if (r.chance(30)) values[size_t(r.between(0, int(values.size()) - 1))] = r.chance(50) ? NAN : -INFINITY;
    auto& ordered = world.own(std::vector<float>(values.size()));
    auto* bits = world.array<uint32_t>("ordered", int64_t(values.size()));
    return [=, &values, &ordered](const Kernels& kernels) {
        kernels.order(values.data(), int32_t(values.size()), ordered.data());
        std::memcpy(bits, ordered.data(), values.size() * 4);
    };
}

}  // namespace vq::test
