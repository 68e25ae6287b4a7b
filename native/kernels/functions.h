// The functions of one number that take many operations: exponentials and what is made of them, and the error function;
// in vectors, any instruction set. They round the same everywhere, and as the scalar twins in steps.cpp. Written with
// vectors: what GCC 12 makes of loops over numbers takes twice the time.
#pragma once
#include <cmath>

#include "../core/of_two.h"
#include "isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

// e^x to about one unit in the last place.
inline F32 exponential(F32 x) {
    x = F32::max(F32::min(x, F32::set1(88.0f)), F32::set1(-87.0f));
    // Adding and taking away 1.5 · 2²³ rounds to the nearest integer.
    const F32 magic = F32::set1(12582912.0f);
    const F32 n = (x * F32::set1(1.44269504f) + magic) - magic;
    const F32 r = (x - n * F32::set1(0.693359375f)) - n * F32::set1(-2.12194440e-4f);
    F32 p = F32::set1(1.9875691500e-4f);
    p = p * r + F32::set1(1.3981999507e-3f);
    p = p * r + F32::set1(8.3334519073e-3f);
    p = p * r + F32::set1(4.1665795894e-2f);
    p = p * r + F32::set1(1.6666665459e-1f);
    p = p * r + F32::set1(5.0000001201e-1f);
    p = p * (r * r) + r + F32::set1(1);
    return p * power_of_two(round_to_int(n));
}

// erf(x) to 5e-7: x · P(x²) / Q(x²), the coefficients of the Eigen library.
inline F32 error_function(F32 x) {
    x = F32::max(F32::min(x, F32::set1(4)), F32::set1(-4));
    const F32 t = x * x;
    F32 p = F32::set1(-2.72614225801306e-10f);
    p = p * t + F32::set1(2.77068142495902e-8f);
    p = p * t + F32::set1(-2.10102402082508e-6f);
    p = p * t + F32::set1(-5.69250639462346e-5f);
    p = p * t + F32::set1(-7.34990630326855e-4f);
    p = p * t + F32::set1(-2.95459980854025e-3f);
    p = p * t + F32::set1(-1.60960333262415e-2f);
    F32 q = F32::set1(-1.45660718464996e-5f);
    q = q * t + F32::set1(-2.13374055278905e-4f);
    q = q * t + F32::set1(-1.68282697438203e-3f);
    q = q * t + F32::set1(-7.37332916720468e-3f);
    q = q * t + F32::set1(-1.42647390514189e-2f);
    return F32::min(F32::max(x * p / q, F32::set1(-1)), F32::set1(1));
}

inline F32 sigmoid(F32 x) { return F32::set1(1) / (F32::set1(1) + exponential(F32::set1(0) - x)); }
inline F32 silu(F32 x) { return x * sigmoid(x); }

static __attribute__((noinline)) F32 of_two(Do kind, F32 x, F32 other) {
    float a[lanes], b[lanes];
    x.store(a), other.store(b);
    for (int k = 0; k < lanes; k++) a[k] = vq::of_two(kind, a[k], b[k]);
    return F32::load(a);
}

inline bool is_function(Do kind) { return kind >= Do::sigmoid && kind <= Do::erf; }

// Such a step on rows of values, `pitch` apart: whole vectors, so what lies behind the channels changes too. One copy for
// all programs, since it is long.
static __attribute__((noinline)) void function_step(const Step& step, float* values, int rows, int channels,
                                                    int pitch) {
    const auto each = [&](auto f) __attribute__((always_inline)) {
        for (float *row = values, *end = values + rows * int64_t(pitch); row != end; row += pitch)
            for (int c = 0; c < channels; c += lanes) f(F32::load(row + c)).store(row + c);
    };
    const auto each_number = [&](auto f) __attribute__((always_inline)) {
        for (float *row = values, *end = values + rows * int64_t(pitch); row != end; row += pitch)
            for (int c = 0; c < channels; c++) row[c] = f(row[c]);
    };
    const F32 half = F32::set1(0.5f), one = F32::set1(1), two = F32::set1(2);
    switch (step.kind) {
        case Do::sigmoid: return each([&](F32 x) { return sigmoid(x); });
        case Do::silu: return each([&](F32 x) { return silu(x); });
        case Do::tanh: return each([&](F32 x) { return one - two / (exponential(two * x) + one); });
        case Do::exp: return each([&](F32 x) { return exponential(x); });
        case Do::elu: {
            const F32 zero = F32::set1(0), slope = F32::set1(step.a);
            return each([&](F32 x) { return F32::negative(zero - x, x, slope * (exponential(x) - one)); });
        }
        case Do::mish:
            return each([&](F32 x) {
                const F32 e = exponential(F32::min(x, F32::set1(20))), n = e * (e + two);
                return x * (n / (n + two));
            });
        case Do::erf: return each([&](F32 x) { return error_function(x); });
        case Do::gelu:
            return each([&](F32 x) { return half * x * (one + error_function(x * F32::set1(0.70710678f))); });
        case Do::gelu_tanh:
            return each([&](F32 x) {
                const F32 inner = F32::set1(0.79788456f) * (x + F32::set1(0.044715f) * x * x * x);
                return half * x * (two - two / (exponential(two * inner) + one));
            });
        case Do::log: return each_number([](float x) { return ::logf(x); });
        case Do::sqrt: return each_number([](float x) { return ::sqrtf(x); });
        case Do::abs: return each_number([](float x) { return ::fabsf(x); });
        case Do::floor: return each_number([](float x) { return ::floorf(x); });
        case Do::ceil: return each_number([](float x) { return ::ceilf(x); });
        case Do::round: return each_number([](float x) { return ::nearbyintf(x); });
        case Do::trunc: return each_number([](float x) { return ::truncf(x); });
        case Do::sign: return each_number([](float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; });
        case Do::sin: return each_number([](float x) { return ::sinf(x); });
        case Do::cos: return each_number([](float x) { return ::cosf(x); });
        case Do::softplus: {
            float e[lanes];
            for (float *row = values, *end = values + rows * int64_t(pitch); row != end; row += pitch)
                for (int c = 0; c < channels; c += lanes) {
                    const F32 x = F32::load(row + c);
                    exponential(F32::min(x, F32::set1(0) - x)).store(e);
                    for (int k = 0; k < lanes && c + k < channels; k++)
                        row[c + k] = (row[c + k] > 0 ? row[c + k] : 0) + ::log1pf(e[k]);
                }
            return;
        }
        default: return;
    }
}

}  // namespace vq::VQ_ISA
