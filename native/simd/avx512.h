// Vectors of AVX-512: 16 lanes of 32 bits.
#pragma once
#include <immintrin.h>
#include <cstdint>

#include "../kernels/isa.h"
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "for AVX-512 with BW, VL and DQ"
#endif

namespace vq::VQ_ISA {

constexpr int lanes = 16;

struct I32 {
    __m512i v;
    static I32 set1(int32_t x) { return {_mm512_set1_epi32(x)}; }
    static I32 load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
    static I32 load_s8(const int8_t* p) { return {_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p))}; }
    static I32 load_u8(const uint8_t* p) { return {_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p))}; }
    void store(int32_t* p) const { _mm512_storeu_si512(p, v); }
    friend I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
    friend I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
    friend I32 operator*(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
};

struct F32 {
    __m512 v;
    static F32 set1(float x) { return {_mm512_set1_ps(x)}; }
    static F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    // The first n lanes only.
    void store(float* p, int n) const {
        if (n == lanes) _mm512_storeu_ps(p, v);
        else _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), v);
    }
    friend F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
    friend F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    friend F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
    // b where one of them is NaN.
    static F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    static F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    // a < 0 ? b : c
    static F32 negative(F32 a, F32 b, F32 c) {
        return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, _mm512_setzero_ps(), _CMP_LT_OQ), c.v, b.v)};
    }
};

// Sums of float32 values, lane by lane, in float64.
struct Sum {
    __m512d low, high;
    static Sum zero() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
    void add(F32 a) {
        low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(a.v)));
        high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1)));
    }
    F32 over(double divisor) const {
        const __m512d d = _mm512_set1_pd(divisor);
        return Sum{_mm512_div_pd(low, d), _mm512_div_pd(high, d)}.rounded();
    }
    F32 rounded() const {
        return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1)};
    }
};

inline F32 to_float(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline F32 rounded(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline I32 round_to_int(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }  // half to even
// 2ⁿ, −127 < n < 128.
inline F32 power_of_two(I32 n) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n.v, _mm512_set1_epi32(127)), 23))};
}
// The low bytes of the first n lanes.
inline void store_bytes(uint8_t* p, I32 a, int n) {
    if (n == lanes) _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(a.v));
    else _mm512_mask_cvtepi32_storeu_epi8(p, __mmask16((1u << n) - 1), a.v);
}

// The first n ≤ 16 codes of one pixel meet what a stream holds: those that moved are taken over, `delta`
// becomes the changes (0 elsewhere). Returns how many groups of 4 changed; `over` where a change leaves int8.
inline int track_bytes(uint8_t* held, int8_t* delta, I32 codes, int n, bool& over) {
    const __mmask16 tail = __mmask16((1u << n) - 1);
    const __m512i change = _mm512_sub_epi32(codes.v, _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)held)));
    const __m512i size = _mm512_abs_epi32(change);
    const __mmask16 moved = _mm512_mask_test_epi32_mask(tail, change, change);
    over |= _mm512_mask_cmpgt_epi32_mask(moved, size, _mm512_set1_epi32(127)) != 0;
    _mm512_mask_cvtepi32_storeu_epi8(held, moved, codes.v);
    _mm512_mask_cvtepi32_storeu_epi8(delta, tail, _mm512_maskz_mov_epi32(moved, change));
    unsigned groups = moved | moved >> 1;
    groups |= groups >> 2;
    return __builtin_popcount(groups & 0x1111);
}

// The codes of pixels that lie one after the other, whole groups of 4 channels each, up to 512; `moved` gets their
// counts.
inline void track_run(uint8_t* held, int8_t* delta, uint16_t* moved, const uint8_t* codes, int pixels, int channels) {
    const int bytes = pixels * channels, each = channels / 4;
    uint64_t groups[3] = {}, overs[3] = {};  // a bit for every 4 channels; a shift by a pixel reads two words
    for (int i = 0; i < bytes; i += 64) {
        const __mmask64 tail = bytes - i < 64 ? (uint64_t(1) << (bytes - i)) - 1 : ~uint64_t(0);
        const __m512i now = _mm512_maskz_loadu_epi8(tail, codes + i), old = _mm512_maskz_loadu_epi8(tail, held + i);
        const __m512i size = _mm512_or_si512(_mm512_subs_epu8(now, old), _mm512_subs_epu8(old, now));
        const __mmask64 takes = _mm512_cmpneq_epi8_mask(now, old);
        const __m512i change = _mm512_maskz_sub_epi8(takes, now, old);
        const __m512i wide_change = _mm512_movm_epi8(_mm512_mask_cmpgt_epu8_mask(takes, size, _mm512_set1_epi8(127)));
        if (tail == ~uint64_t(0)) {
            _mm512_storeu_si512(held + i, _mm512_mask_mov_epi8(old, takes, now));
            _mm512_storeu_si512(delta + i, change);
        } else {
            _mm512_mask_storeu_epi8(held + i, takes, now);
            _mm512_mask_storeu_epi8(delta + i, tail, change);
        }
        groups[i / 256] |= uint64_t(_mm512_test_epi32_mask(change, change)) << i / 4 % 64;
        overs[i / 256] |= uint64_t(_mm512_test_epi32_mask(wide_change, wide_change)) << i / 4 % 64;
    }
    const uint64_t own = (uint64_t(1) << each) - 1;
    const auto of = [&](const uint64_t* bits, int first) {
        const int word = first / 64, shift = first % 64;
        return (bits[word] >> shift | (shift ? bits[word + 1] << (64 - shift) : 0)) & own;
    };
    for (int p = 0; p < pixels; p++)
        moved[p] = uint16_t(__builtin_popcountll(of(groups, p * each)) | (of(overs, p * each) ? wide : 0));
}

// Dense + Sparse: see outside.h.
inline __mmask16 mask_outside(F32 x, const Outside& outside) {
    return _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(outside.top), _CMP_GT_OQ) |
           _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(outside.bottom), _CMP_LT_OQ);
}
inline bool any_outside(F32 x, const Outside& outside) { return mask_outside(x, outside) != 0; }
inline __m256i to_half(F32 x) {
    const F32 s = F32::min(F32::max(x, F32::set1(-largest_half)), F32::set1(largest_half));
    return _mm512_cvtps_ph(s.v, _MM_FROUND_TO_NEAREST_INT);
}
inline uint32_t nearest_half(float x) { return uint32_t(_mm256_cvtsi256_si32(to_half(F32::set1(x)))); }
inline F32 sparse_part(F32 x, F32 dense, const Outside& outside) {
    return {_mm512_maskz_mov_ps(mask_outside(x, outside), _mm512_cvtph_ps(to_half(x - dense)))};
}
// The elements of 16 values of channels `channel`.
inline __m512i elements_of(F32 x, F32 dense, __m512i channel) {
    return _mm512_or_si512(_mm512_slli_epi32(_mm512_cvtepu16_epi32(to_half(x - dense)), 16), channel);
}
inline __m512i sixteen_from(int first) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(lane, _mm512_set1_epi32(first));
}
inline int outside_elements(F32 x, F32 dense, const Outside& outside, int n, int c, uint32_t* elements) {
    const __mmask16 mask = mask_outside(x, outside) & __mmask16((1u << n) - 1);
    _mm512_storeu_si512(elements, _mm512_maskz_compress_epi32(mask, elements_of(x, dense, sixteen_from(c))));
    return __builtin_popcount(mask);
}
constexpr int copied_at_once = 8;
inline void copy_elements(const uint32_t* staged, int n, uint32_t column, uint32_t last_channel,
                          SparseElement* elements) {
    const __mmask8 mask = n < 8 ? __mmask8((1u << n) - 1) : __mmask8(0xFF);
    const __m256i element = _mm256_maskz_loadu_epi32(mask, staged);
    const __m256i channel = _mm256_min_epu32(_mm256_and_si256(element, _mm256_set1_epi32(0xFFFF)),
                                             _mm256_set1_epi32(int(last_channel)));
    const __m512i places = _mm512_cvtepu32_epi64(_mm256_or_si256(channel, _mm256_set1_epi32(int(column << 16))));
    const __m128i halves = _mm256_cvtepi32_epi16(_mm256_srli_epi32(element, 16));
    const __m512i values = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(_mm512_castps_si512(
        _mm512_cvtph_ps(_mm256_castsi128_si256(halves)))));
    _mm512_mask_storeu_epi64(elements, mask, _mm512_or_si512(places, _mm512_slli_epi64(values, 32)));
}

// Bit g: whether any of the 4 changes of group g is not 0; up to 16 groups.
inline uint32_t changed_groups(const int8_t* delta, int groups) {
    return _mm512_test_epi32_mask(_mm512_loadu_si512(delta), _mm512_set1_epi32(-1)) & ((1u << groups) - 1);
}

}  // namespace vq::VQ_ISA
