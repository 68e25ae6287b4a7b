// The fused program: what happens to the float32 values of one output pixel after its operator, up to 4 vectors at a
// time, any instruction set. Fused: between two steps a value stays in its register.
#pragma once
#include <cmath>
#include <cstring>

#include "isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

static_assert(lanes >= 4 && 16 % lanes == 0, "16 channels are whole vectors; groups of 4 channels do not cross them");

// e^x to about one unit in the last place, in operations that vectorise and round the same everywhere.
inline float exponential(float x) {
    x = x < 88.0f ? x : 88.0f;
    x = x > -87.0f ? x : -87.0f;
    // Adding and taking away 1.5 · 2²³ rounds to the nearest integer.
    const float magic = 12582912.0f;
    const float n = (x * 1.44269504f + magic) - magic;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const int32_t bits = (int32_t(n) + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, 4);
    return p * scale;
}

// erf(x) to 5e-7, likewise: x · P(x²) / Q(x²), the coefficients of the Eigen library.
inline float error_function(float x) {
    x = x < 4.0f ? x : 4.0f;
    x = x > -4.0f ? x : -4.0f;
    const float t = x * x;
    float p = -2.72614225801306e-10f;
    p = p * t + 2.77068142495902e-8f;
    p = p * t + -2.10102402082508e-6f;
    p = p * t + -5.69250639462346e-5f;
    p = p * t + -7.34990630326855e-4f;
    p = p * t + -2.95459980854025e-3f;
    p = p * t + -1.60960333262415e-2f;
    float q = -1.45660718464996e-5f;
    q = q * t + -2.13374055278905e-4f;
    q = q * t + -1.68282697438203e-3f;
    q = q * t + -7.37332916720468e-3f;
    q = q * t + -1.42647390514189e-2f;
    const float y = x * p / q, low = y > -1.0f ? y : -1.0f;
    return low < 1.0f ? low : 1.0f;
}

inline float sigmoid_of(float x) { return 1.0f / (1.0f + exponential(-x)); }

// The steps that are too rare or too long for vectors of their own, element by element.
inline void scalar_step(const Step& step, float* x, int n) {
    switch (step.kind) {
        case Do::sigmoid: for (int i = 0; i < n; i++) x[i] = sigmoid_of(x[i]); break;
        case Do::silu: for (int i = 0; i < n; i++) x[i] = x[i] * sigmoid_of(x[i]); break;
        case Do::tanh: for (int i = 0; i < n; i++) x[i] = 1.0f - 2.0f / (exponential(2.0f * x[i]) + 1.0f); break;
        case Do::elu: for (int i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : step.a * (exponential(x[i]) - 1.0f); break;
        case Do::exp: for (int i = 0; i < n; i++) x[i] = exponential(x[i]); break;
        case Do::log: for (int i = 0; i < n; i++) x[i] = ::logf(x[i]); break;
        case Do::sqrt: for (int i = 0; i < n; i++) x[i] = ::sqrtf(x[i]); break;
        case Do::abs: for (int i = 0; i < n; i++) x[i] = ::fabsf(x[i]); break;
        case Do::floor: for (int i = 0; i < n; i++) x[i] = ::floorf(x[i]); break;
        case Do::softplus:
            for (int i = 0; i < n; i++) x[i] = (x[i] > 0 ? x[i] : 0) + ::log1pf(exponential(-::fabsf(x[i])));
            break;
        case Do::mish:
            for (int i = 0; i < n; i++) {
                const float e = exponential(x[i] < 20 ? x[i] : 20), m = e * (e + 2);
                x[i] = x[i] * (m / (m + 2));
            }
            break;
        case Do::erf: for (int i = 0; i < n; i++) x[i] = error_function(x[i]); break;
        case Do::gelu:
            for (int i = 0; i < n; i++) x[i] = 0.5f * x[i] * (1.0f + error_function(x[i] * 0.70710678f));
            break;
        case Do::gelu_tanh:
            for (int i = 0; i < n; i++) {
                const float inner = 0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
                x[i] = 0.5f * x[i] * (2.0f - 2.0f / (exponential(2.0f * inner) + 1.0f));
            }
            break;
        default: break;
    }
}

inline bool is_scalar(Do kind) { return kind >= Do::sigmoid && kind <= Do::erf; }

inline F32 clamp(F32 x, float low, float high) { return F32::min(F32::max(x, F32::set1(low)), F32::set1(high)); }

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
                each([&](F32 x, int) { return x * clamp(x + F32::set1(3), 0, 6) / F32::set1(6); });
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
                float x[N * lanes];
                for (int i = 0; i < N; i++) v[i].store(x + i * lanes);
                scalar_step(*s, x, N * lanes);
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
