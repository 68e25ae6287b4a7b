// Vectors of AVX2: 8 lanes of 32 bits.
#pragma once
#include <immintrin.h>
#include <cstdint>

#include "../kernels/isa.h"
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

constexpr int lanes = 8;

struct I32 {
    __m256i v;
    static I32 set1(int32_t x) { return {_mm256_set1_epi32(x)}; }
    static I32 load(const int32_t* p) { return {_mm256_loadu_si256((const __m256i*)p)}; }
    static I32 load_s8(const int8_t* p) { return {_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p))}; }
    static I32 load_u8(const uint8_t* p) { return {_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p))}; }
    void store(int32_t* p) const { _mm256_storeu_si256((__m256i*)p, v); }
    friend I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
    friend I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
    friend I32 operator*(I32 a, I32 b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
};

struct F32 {
    __m256 v;
    static F32 set1(float x) { return {_mm256_set1_ps(x)}; }
    static F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    void store(float* p, int n) const {
        if (n == lanes) return store(p);
        float all[lanes];
        store(all);
        for (int i = 0; i < n; i++) p[i] = all[i];
    }
    friend F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
    static F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
    static F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
    static F32 negative(F32 a, F32 b, F32 c) {
        return {_mm256_blendv_ps(c.v, b.v, _mm256_cmp_ps(a.v, _mm256_setzero_ps(), _CMP_LT_OQ))};
    }
};

// Sums of float32 values, lane by lane, in float64.
struct Sum {
    __m256d low, high;
    static Sum zero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
    void add(F32 a) {
        low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(a.v)));
        high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1)));
    }
    F32 over(double divisor) const {
        const __m256d d = _mm256_set1_pd(divisor);
        return Sum{_mm256_div_pd(low, d), _mm256_div_pd(high, d)}.rounded();
    }
    F32 rounded() const { return {_mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low))}; }
};

inline F32 to_float(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
inline F32 rounded(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline I32 round_to_int(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
// 2ⁿ, −127 < n < 128.
inline F32 power_of_two(I32 n) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.v, _mm256_set1_epi32(127)), 23))};
}
inline void store_bytes(uint8_t* p, I32 a, int n) {
    const __m256i spread = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                            -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i bytes = _mm256_shuffle_epi8(a.v, spread);
    const int64_t eight = _mm_cvtsi128_si64(
        _mm_or_si128(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
    if (n == lanes) __builtin_memcpy(p, &eight, 8);
    else __builtin_memcpy(p, &eight, size_t(n));
}

// Dense + Sparse: bit i is whether value i lies outside.
inline unsigned mask_outside(F32 x, const Outside& outside) {
    return unsigned(_mm256_movemask_ps(_mm256_or_ps(_mm256_cmp_ps(x.v, _mm256_set1_ps(outside.top), _CMP_GT_OQ),
                                                    _mm256_cmp_ps(x.v, _mm256_set1_ps(outside.bottom), _CMP_LT_OQ))));
}

}  // namespace vq::VQ_ISA

#include "outside.h"
#include "track.h"
