// The float32 values between two others, 16 at a time, AVX-512: those that are wanted move together by a compressing
// store, without a branch for each, which a CPU would guess wrong every other time.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "for AVX-512 with BW, VL and DQ"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "a vector holds 16 values");

static void between_vector(const float* values, int64_t count, int32_t low, int32_t high, float* found,
                           int64_t& found_count, int64_t& below) {
    const __m512i lows = _mm512_set1_epi32(low), highs = _mm512_set1_epi32(high);
    int64_t inside = 0, less = 0;
    for (int64_t i = 0; i < count; i += 16) {
        const __mmask16 here = count - i < 16 ? __mmask16((1u << (count - i)) - 1) : __mmask16(0xFFFF);
        const __m512i bits = _mm512_maskz_loadu_epi32(here, values + i);
        // As order_key: all bits but the sign's are turned where it is set.
        const __m512i key = _mm512_xor_si512(bits, _mm512_srli_epi32(_mm512_srai_epi32(bits, 31), 1));
        const __mmask16 under = _mm512_mask_cmplt_epi32_mask(here, key, lows);
        const __mmask16 wanted = _mm512_mask_cmple_epi32_mask(here & ~under, key, highs);
        _mm512_storeu_si512(found + inside, _mm512_maskz_compress_epi32(wanted, bits));
        inside += __builtin_popcount(wanted);
        less += __builtin_popcount(under);
    }
    found_count = inside, below = less;
}

}  // namespace vq::VQ_ISA
