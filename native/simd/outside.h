// The sparse part of Dense + Sparse in plain C++, for the instruction sets that have no better.
#pragma once
#include "../kernels/isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

// The 16 bits of the value nearest to x, half to even; |x| ≤ 65504.
inline uint32_t to_half(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    const uint32_t sign = bits & 0x80000000u;
    bits ^= sign;
    if (bits < 0x38800000u) {  // below 2⁻¹⁴ they are multiples of 2⁻²⁴, which is the last place of 0.5
        float size;
        __builtin_memcpy(&size, &bits, 4);
        size += 0.5f;
        __builtin_memcpy(&bits, &size, 4);
        bits -= 0x3F000000u;
    } else bits = (bits + 0xFFF + (bits >> 13 & 1) - 0x38000000u) >> 13;
    return sign >> 16 | bits;
}

// The same for any x but NaN.
inline uint32_t nearest_half(float x) {
    return to_half(x < -largest_half ? -largest_half : x > largest_half ? largest_half : x);
}

inline float from_half(uint32_t half) {
    const uint32_t sign = (half & 0x8000) << 16, size = half & 0x7FFF;
    float x = float(size) * 0x1p-24f;
    if (size >= 0x400) {
        const uint32_t bits = (size << 13) + 0x38000000u;
        __builtin_memcpy(&x, &bits, 4);
    }
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    bits |= sign;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}

// The first n staged elements of a pixel in this column.
constexpr int copied_at_once = 8;
inline void copy_elements(const uint32_t* staged, int n, uint32_t column, uint32_t last_channel,
                          SparseElement* elements) {
    for (int i = 0; i < n && i < copied_at_once; i++) {
        const uint32_t channel = staged[i] & 0xFFFF;
        elements[i] = {uint16_t(channel < last_channel ? channel : last_channel), uint16_t(column),
                       from_half(staged[i] >> 16)};
    }
}

inline bool any_outside(F32 x, const Outside& outside) {
    float values[lanes];
    x.store(values);
    bool any = false;
    for (int i = 0; i < lanes; i++) any |= (values[i] > outside.top) | (values[i] < outside.bottom);
    return any;
}

// S where x lies outside, 0 elsewhere.
inline F32 sparse_part(F32 x, F32 dense, const Outside& outside) {
    float values[lanes], differences[lanes];
    x.store(values);
    F32::min(F32::max(x - dense, F32::set1(-largest_half)), F32::set1(largest_half)).store(differences);
    for (int i = 0; i < lanes; i++)
        values[i] = values[i] > outside.top || values[i] < outside.bottom ? from_half(to_half(differences[i])) : 0;
    return F32::load(values);
}

// Writes the elements of the lanes below n that lie outside; their first channel is c. Returns how many.
inline int outside_elements(F32 x, F32 dense, const Outside& outside, int n, int c, uint32_t* elements) {
    float values[lanes], differences[lanes];
    x.store(values);
    F32::min(F32::max(x - dense, F32::set1(-largest_half)), F32::set1(largest_half)).store(differences);
    int count = 0;
    for (int i = 0; i < n; i++)
        if (values[i] > outside.top || values[i] < outside.bottom)
            elements[count++] = to_half(differences[i]) << 16 | uint32_t(c + i);
    return count;
}

}  // namespace vq::VQ_ISA
