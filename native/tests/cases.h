// What random cases of kernels have in common: grids, programs, sets of pixels.
#pragma once
#include <functional>

#include "../core/dispatch.h"
#include "../core/kernels.h"
#include "../core/pack.h"
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
            elements.as<SparseElement>()[count++] = {uint16_t(c), uint16_t(p % t.w), value};
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
    if (kind >= Do::add && kind <= Do::rkeep_unless) add_operand(world, s, out, r);
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
            break;
        default: s.a = r.uniform(0, 1), s.b = r.uniform(0, 1);
    }
    return s;
}
inline Step arithmetic_step(World& world, const Tensor& out, Random& r) {
    return step_of(world, Do(r.between(int(Do::clamp), int(Do::rkeep_unless))), out, r);
}
inline Step storing_step(World& world, const Tensor& out, Random& r) {
    return step_of(world, Do(r.between(int(Do::store), int(Do::store_values))), out, r);
}

// Steps, at least one of which stores. Often what has paths of its own: a clamp or a function and codes, and x · a + b.
inline Program random_program(World& world, std::vector<Step>& steps, const Tensor& out, Random& r) {
    if (r.chance(30)) {
        static const Do before[] = {Do::clamp, Do::clamp, Do::silu, Do::hardswish};
        if (r.chance(80)) steps.push_back(step_of(world, r.pick(before), out, r));
        steps.push_back(step_of(world, Do::store_codes, out, r));
        return {steps.data(), int32_t(steps.size()), out.c};
    }
    if (r.chance(30)) {  // how a layer with a skip connection ends
        static const Do functions[] = {Do::clamp, Do::clamp, Do::leaky_relu, Do::silu, Do::hardswish};
        const auto maybe = [&](Do kind) {
            if (r.chance(50)) steps.push_back(step_of(world, kind, out, r));
        };
        maybe(r.pick(functions)), maybe(Do::add), maybe(r.pick(functions)), maybe(Do::store);
        if (!steps.empty() && steps.back().kind == Do::store && r.chance(30)) return {steps.data(), int32_t(steps.size()), out.c};
        maybe(r.pick(functions));
        steps.push_back(step_of(world, Do::store_codes, out, r));
        return {steps.data(), int32_t(steps.size()), out.c};
    }
    for (int i = r.between(0, 3); i > 0; i--) steps.push_back(arithmetic_step(world, out, r));
    if (r.chance(15))
        for (const Do kind : {Do::mul, Do::add}) {
            steps.emplace_back();
            steps.back().kind = kind;
            steps.back().operand = world.floats("operand 1×1×1", 1, r);
        }
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
void add_program(World& world, Args& args, Random& r) {
    world.shape += size("out", args.out);
    args.program = random_program(world, world.own<std::vector<Step>>(), args.out, r);
    for (int i = 0; i < args.program.count; i++)
        world.shape += " step " + std::to_string(int(args.program.steps[i].kind));
}
template <class Args>
Call finish_case(World& world, const Args& a, Random& r, void (*Kernels::*kernel)(const Args&, Pixels)) {
    Args args = a;
    add_program(world, args, r);
    const Pixels pixels = random_pixels(world, args.out, r);
    return [args, pixels, kernel](const Kernels& kernels) { (kernels.*kernel)(args, pixels); };
}

}  // namespace vq::test
