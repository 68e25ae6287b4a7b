// Staged elements become a list, one at a time.
#pragma once
#include <cmath>

namespace vq::reference {

inline float from_half(uint32_t bits) {
    const int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
    const float size = exponent ? std::ldexp(float(1024 + mantissa), exponent - 25) : std::ldexp(float(mantissa), -24);
    return bits & 0x8000 ? -size : size;
}

static void copy_sparse(const SparseCopy& a, int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p++)
        for (int32_t e = a.begin[p]; e < a.begin[p + 1]; e++) {
            const int64_t k = e - a.begin[p];
            const uint32_t element = k < few_elements ? a.staged.few[p * few_elements + k] : a.staged.more[p * a.c + k];
            const uint32_t channel = std::min(element & 0xFFFF, uint32_t(a.c - 1));
            a.elements[e] = {uint16_t(channel), uint16_t(p % a.w), from_half(element >> 16)};
        }
}

}  // namespace vq::reference
