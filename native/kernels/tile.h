// A program on a tile: up to 16 pixels × up to 64 channels of float32 values in memory, pixels 64 numbers apart, any
// instruction set. Step after step goes over the tile, which the nearest cache holds, so what a step is gets decided once
// for all of it.
#pragma once
#include "program.h"
#include VQ_CODES

namespace vq::VQ_ISA {

constexpr int tile_pitch = 64;

// The pixels of a tile, and its channels c0 … c0 + n − 1.
struct Tile {
    float* values;
    const int32_t* pixels;
    int rows, c0, n;
};

inline void store_tile_values(const Step& step, const Tile& t) {
    for (int j = 0; j < t.rows; j++) {
        const float* from = t.values + tile_pitch * j;
        float* to = step.out.f32() + t.pixels[j] * step.out.stride + t.c0;
        int c = 0;
        for (; c + lanes <= t.n; c += lanes) F32::load(from + c).store(to + c);
        if (t.n < 4)
            for (; c < t.n; c++) to[c] = from[c];
        else if (c < t.n) F32::load(from + c).store(to + c, t.n - c);
    }
}

// A function on the tile; where most of a vector would hold no channel, pixels share vectors.
inline void tile_function(const Step& step, const Tile& t) {
    if (2 * t.n > lanes) return function_step(step, t.values, t.rows, t.n, tile_pitch);
    float packed[16 * lanes];
    const auto each = [&](auto f) {
        for (int j = 0; j < t.rows; j++)
            for (int c = 0; c < t.n; c++) f(packed[j * t.n + c], t.values[tile_pitch * j + c]);
    };
    each([](float& to, float from) { to = from; });
    function_step(step, packed, 1, t.rows * t.n, 16 * lanes);
    each([](float from, float& to) { to = from; });
}

// Codes, and the function before them on the way where it is one that ends most layers of its networks.
inline bool store_tile(const Step* function, const Step& store, const Tile& t) {
    const auto through = [&](auto f) { return store_tile_codes(store, t.values, t.pixels, t.rows, t.c0, t.n, f); };
    if (!function) return through([](F32 x) { return x; });
    if (function->kind == Do::silu) return through([](F32 x) { return silu(x); });
    return function->kind == Do::hardswish && through([](F32 x) { return hardswish(x); });
}

static __attribute__((noinline)) void run_tile(const Program& program, const Tile& t) {
    const auto each = [&](auto f) __attribute__((always_inline)) {  // f(x, c): the values of channels from c0 + c
        for (float *row = t.values, *end = row + tile_pitch * t.rows; row != end; row += tile_pitch)
            for (int c = 0; c < t.n; c += lanes) f(F32::load(row + c), c).store(row + c);
    };
    const auto number = [](const Step& s) { return s.operand_pixel == 0 && s.operand_channel == 0; };
    for (const Step *s = program.steps, *last = s + program.count; s != last; s++) {
        const Step* next = s + 1;
        const auto operand = [&](auto f) __attribute__((always_inline)) {
            for (int j = 0; j < t.rows; j++) {
                float* row = t.values + tile_pitch * j;
                const float* others = s->operand + t.pixels[j] * s->operand_pixel;
                if (s->operand_channel) {
                    others += t.c0;
                    for (int c = 0; c < t.n; c += lanes) f(F32::load(row + c), F32::load(others + c)).store(row + c);
                } else {
                    const F32 other = F32::set1(*others);
                    for (int c = 0; c < t.n; c += lanes) f(F32::load(row + c), other).store(row + c);
                }
            }
        };
        if (next + 1 == last && next->kind == Do::store_codes && store_tile(s, *next, t)) return;
        switch (s->kind) {
            case Do::clamp: {
                const F32 low = F32::set1(s->a), high = F32::set1(s->b);
                each([&](F32 x, int) { return F32::min(F32::max(x, low), high); });
                break;
            }
            case Do::leaky_relu: {
                const F32 slope = F32::set1(s->a);
                each([&](F32 x, int) { return F32::negative(x, x * slope, x); });
                break;
            }
            case Do::prelu: {
                const float* slopes = s->channel_a + t.c0;
                each([&](F32 x, int c) { return F32::negative(x, x * F32::load(slopes + c), x); });
                break;
            }
            case Do::hardswish: each([](F32 x, int) { return hardswish(x); }); break;
            case Do::hardsigmoid: {
                const F32 slope = F32::set1(s->a), shift = F32::set1(s->b);
                each([&](F32 x, int) { return clamp(x * slope + shift, 0, 1); });
                break;
            }
            case Do::affine: {
                const float *weights = s->channel_a + t.c0, *biases = s->channel_b + t.c0;
                each([&](F32 x, int c) { return x * F32::load(weights + c) + F32::load(biases + c); });
                break;
            }
            case Do::add: operand([](F32 x, F32 y) { return x + y; }); break;
            case Do::sub: operand([](F32 x, F32 y) { return x - y; }); break;
            case Do::rsub: operand([](F32 x, F32 y) { return y - x; }); break;
            case Do::mul:
                if (next != last && next->kind == Do::add && number(*s) && number(*next)) {
                    const F32 slope = F32::set1(*s->operand), shift = F32::set1(*next->operand);
                    each([&](F32 x, int) { return x * slope + shift; });
                    s = next;
                } else operand([](F32 x, F32 y) { return x * y; });
                break;
            case Do::div: operand([](F32 x, F32 y) { return x / y; }); break;
            case Do::rdiv: operand([](F32 x, F32 y) { return y / x; }); break;
            case Do::minimum: operand([](F32 x, F32 y) { return F32::min(x, y); }); break;
            case Do::maximum: operand([](F32 x, F32 y) { return F32::max(x, y); }); break;
            case Do::store: store_tile_values(*s, t); break;
            default: {
                if (is_function(s->kind)) {
                    tile_function(*s, t);
                    break;
                }
                if (is_of_two(s->kind)) {
                    operand([&](F32 x, F32 y) { return of_two(s->kind, x, y); });
                    break;
                }
                if (s->kind == Do::store_codes && store_tile(nullptr, *s, t)) break;
                const Program one{s, 1, 0};
                for (int j = 0; j < t.rows; j++)
                    for (int c = 0; c < t.n; c += lanes) {
                        F32 v[1] = {F32::load(t.values + tile_pitch * j + c)};
                        run_program<1>(one, v, t.pixels[j], t.c0 + c, t.n - c < lanes ? t.n - c : lanes);
                    }
            }
        }
    }
}

}  // namespace vq::VQ_ISA
