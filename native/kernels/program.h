// The fused program: what happens to the float32 values of one output pixel after its operator, up to 4 vectors at a
// time, any instruction set. Fused: between two steps a value stays in its register.
#pragma once
#include "functions.h"

namespace vq::VQ_ISA {

static_assert(lanes >= 4 && 16 % lanes == 0, "16 channels are whole vectors; groups of 4 channels do not cross them");

inline F32 clamp(F32 x, float low, float high) { return F32::min(F32::max(x, F32::set1(low)), F32::set1(high)); }

inline F32 hardswish(F32 x) { return x * clamp(x + F32::set1(3), 0, 6) / F32::set1(6); }

// round(x · inverse) between the grid's ends, as steps from the zero point
inline I32 to_steps(F32 x, const Grid& grid) {
    const F32 t = x * F32::set1(grid.inverse);
    return round_to_int(clamp(t, float(grid.low - grid.zero), float(grid.high - grid.zero)));
}

// The next elements of a pixel that has `count` of them.
inline void keep_elements(const Step& step, int64_t pixel, int& count, const uint32_t* found, int n) {
    uint32_t *few = step.staged.few + pixel * few_elements, *more = step.staged.more + pixel * step.out.c;
    for (int i = 0; i < n; i++, count++) (count < few_elements ? few : more)[count] = found[i];
}

// The values of a program's vectors that lie outside the grid's cells, as a sparse part.
template <int N>
inline void stage(const Step& step, const F32 (&v)[N], int64_t pixel, int c0, int n) {
    const Outside outside(step.grid);
    int count = c0 == 0 ? 0 : step.staged.counts[pixel];
    for (int i = 0; i < N && i * lanes < n; i++) {
        if (!any_outside(v[i], outside)) continue;
        const F32 dense = to_float(to_steps(v[i], step.grid)) * F32::set1(step.grid.scale);
        const int width = n - i * lanes < lanes ? n - i * lanes : lanes;
        uint32_t found[lanes];
        const int elements = outside_elements(v[i], dense, outside, width, c0 + i * lanes, found);
        keep_elements(step, pixel, count, found, elements);
    }
    step.staged.counts[pixel] = uint16_t(count);
}

// Runs the program on channels c0 … c0 + n − 1 of one pixel, held in N vectors; lanes past n are of no meaning.
template <int N>
inline __attribute__((always_inline)) void run_program(const Program& program, F32 (&v)[N], int64_t pixel, int c0,
                                                       int n) {
    const auto each = [&](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int i = 0; i < N; i++) v[i] = f(v[i], i);
    };
    const auto width = [&](int i) { return n - i * lanes < lanes ? n - i * lanes : lanes; };
    for (const Step *s = program.steps, *end = s + program.count; s != end; s++) {
        const auto per_channel = [&](const float* p, int i) { return F32::load(p + c0 + i * lanes); };
        const auto operand = [&](int i) __attribute__((always_inline)) {
            const float* p = s->operand + pixel * s->operand_pixel;
            return s->operand_channel ? F32::load(p + c0 + i * lanes) : F32::set1(*p);
        };
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
            case Do::prelu:
                each([&](F32 x, int i) { return F32::negative(x, x * per_channel(s->channel_a, i), x); });
                break;
            case Do::hardswish:
                each([](F32 x, int) { return hardswish(x); });
                break;
            case Do::hardsigmoid:
                each([&](F32 x, int) { return clamp(x * F32::set1(s->a) + F32::set1(s->b), 0, 1); });
                break;
            case Do::affine:
                each([&](F32 x, int i) { return x * per_channel(s->channel_a, i) + per_channel(s->channel_b, i); });
                break;
            case Do::add: each([&](F32 x, int i) { return x + operand(i); }); break;
            case Do::sub: each([&](F32 x, int i) { return x - operand(i); }); break;
            case Do::rsub: each([&](F32 x, int i) { return operand(i) - x; }); break;
            case Do::mul: each([&](F32 x, int i) { return x * operand(i); }); break;
            case Do::div: each([&](F32 x, int i) { return x / operand(i); }); break;
            case Do::rdiv: each([&](F32 x, int i) { return operand(i) / x; }); break;
            case Do::minimum: each([&](F32 x, int i) { return F32::min(x, operand(i)); }); break;
            case Do::maximum: each([&](F32 x, int i) { return F32::max(x, operand(i)); }); break;
            case Do::store: {
                float* out = s->out.f32() + pixel * s->out.stride + c0;
#pragma GCC unroll 8
                for (int i = 0; i < N; i++)
                    if (width(i) > 0) v[i].store(out + i * lanes, width(i));
                break;
            }
            case Do::store_codes: {
                uint8_t* out = s->out.u8() + pixel * s->out.stride + c0;
                const I32 zero = I32::set1(s->grid.zero);
                if (s->staged.counts) stage<N>(*s, v, pixel, c0, n);
                if (!s->track.delta) {
#pragma GCC unroll 8
                    for (int i = 0; i < N; i++)
                        if (width(i) > 0) store_bytes(out + i * lanes, to_steps(v[i], s->grid) + zero, width(i));
                    break;
                }
                int8_t* delta = s->track.delta + pixel * s->out.stride + c0;
                int groups = 0;
                bool over = false;
                for (int i = 0; i < N; i++)
                    if (width(i) > 0)
                        groups += track_bytes(out + i * lanes, delta + i * lanes, to_steps(v[i], s->grid) + zero,
                                              width(i), over);
                uint16_t& moved = s->track.moved[pixel];
                if (c0 == 0) moved = 0;
                moved = uint16_t((moved + groups) | (over ? wide : 0));
                break;
            }
            case Do::store_residual: {
                uint8_t* out = s->out.u8() + pixel * s->out.stride + c0;
                float* reference = s->reference.f32() + pixel * s->reference.stride + c0;
                const Outside outside(s->grid);
                F32 residual[N];
                for (int i = 0; i < N; i++) {
                    if (width(i) <= 0) continue;
                    const F32 before = F32::load(reference + i * lanes);
                    residual[i] = v[i] - before;
                    const I32 steps = to_steps(residual[i], s->grid);
                    store_bytes(out + i * lanes, steps + I32::set1(s->grid.zero), width(i));
                    if (!s->update) continue;
                    F32 change = to_float(steps) * F32::set1(s->grid.scale);
                    if (s->sparse) change = change + sparse_part(residual[i], change, outside);
                    (before + change).store(reference + i * lanes, width(i));
                }
                if (s->staged.counts) stage<N>(*s, residual, pixel, c0, n);
                break;
            }
            case Do::store_values: {
                float* out = s->out.f32() + pixel * s->out.stride + c0;
                const Outside outside(s->grid);
                for (int i = 0; i < N; i++) {
                    if (width(i) <= 0) continue;
                    F32 value = to_float(to_steps(v[i], s->grid)) * F32::set1(s->grid.scale);
                    if (s->sparse) value = value + sparse_part(v[i], value, outside);
                    value.store(out + i * lanes, width(i));
                }
                break;
            }
            default: {
                if (is_of_two(s->kind)) {
                    each([&](F32 x, int i) { return of_two(s->kind, x, operand(i)); });
                    break;
                }
                float x[N * lanes];
                for (int i = 0; i < N; i++) v[i].store(x + i * lanes);
                function_step(*s, x, 1, N * lanes, N * lanes);
                for (int i = 0; i < N; i++) v[i] = F32::load(x + i * lanes);
            }
        }
    }
}

// Most operators: the program over all channels of a pixel, 4 vectors at a time. `value(c)` gives the vector of
// channels c … c + lanes − 1; past the last channel it may give anything that can be read.
template <class Value>
inline __attribute__((always_inline)) void run_pixel(const Program& program, int64_t pixel, Value value) {
    for (int c = 0; c < program.channels; c += 4 * lanes) {
        const int n = program.channels - c;
        if (n > 2 * lanes) {
            F32 v[4] = {value(c), value(c + lanes), value(c + 2 * lanes),
                        n > 3 * lanes ? value(c + 3 * lanes) : F32::set1(0)};
            run_program<4>(program, v, pixel, c, n < 4 * lanes ? n : 4 * lanes);
        } else if (n > lanes) {
            F32 v[2] = {value(c), value(c + lanes)};
            run_program<2>(program, v, pixel, c, n);
        } else {
            F32 v[1] = {value(c)};
            run_program<1>(program, v, pixel, c, n);
        }
    }
}

}  // namespace vq::VQ_ISA
