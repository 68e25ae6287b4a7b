// The sparse part of Dense + Sparse in plain C++, for the instruction sets that have no better.
#pragma once

namespace vq::VQ_ISA {

// The nearest value of 16 bits, half to even; |x| ≤ 65504.
inline float to_half(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    const uint32_t sign = bits & 0x80000000u;
    bits ^= sign;
    if (bits < 0x38800000u) {  // below 2⁻¹⁴ halves are multiples of 2⁻²⁴, which is the last place of 0.5
        float size;
        __builtin_memcpy(&size, &bits, 4);
        size = (size + 0.5f) - 0.5f;
        __builtin_memcpy(&bits, &size, 4);
    } else bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~0x1FFFu;
    bits |= sign;
    __builtin_memcpy(&x, &bits, 4);
    return x;
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
        values[i] = values[i] > outside.top || values[i] < outside.bottom ? to_half(differences[i]) : 0;
    return F32::load(values);
}

// Writes S of the lanes below n that lie outside, and their channels, of which the first is c. Returns how many.
inline int stage_outside(F32 x, F32 dense, const Outside& outside, int n, int c, float* values, uint16_t* channels) {
    float all[lanes], sparse[lanes];
    x.store(all);
    sparse_part(x, dense, outside).store(sparse);
    int count = 0;
    for (int i = 0; i < n; i++)
        if (all[i] > outside.top || all[i] < outside.bottom) {
            values[count] = sparse[i];
            channels[count++] = uint16_t(c + i);
        }
    return count;
}

// a + b · c, where the product is exact.
inline F32 add_exact_product(F32 a, F32 b, F32 c) { return a + b * c; }

}  // namespace
