// The pixels of a map that changed little and those that changed much, u16, 16 pixels at a time, AVX-512: its
// compressing stores write lists without a branch for each pixel.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "for AVX-512 with BW, VL and DQ"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "a vector holds the numbers of 16 pixels");

static void split_vector(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low,
                         int64_t& low_count, int32_t* high, int64_t& high_count, int64_t& total) {
    int32_t *low_end = low, *high_end = high;
    __m512i sum = _mm512_setzero_si512();
    const __m512i limits = _mm512_set1_epi32(limit);
    int32_t p = begin;
    for (; p < end; p += 16) {
        const int32_t left = end - p;
        const __mmask16 tail = left < 16 ? __mmask16((1u << left) - 1) : __mmask16(0xFFFF);
        const __m256i values = _mm256_maskz_loadu_epi16(tail, map + p);
        if (_mm256_testz_si256(values, values)) continue;
        const __m512i wide_values = _mm512_cvtepu16_epi32(values);
        const __mmask16 any = _mm512_test_epi32_mask(wide_values, wide_values);
        const __mmask16 highs = _mm512_mask_cmpge_epi32_mask(any, wide_values, limits), lows = any & ~highs;
        const __m512i index = _mm512_add_epi32(_mm512_set1_epi32(p), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                                                                      11, 12, 13, 14, 15));
        _mm512_storeu_si512(low_end, _mm512_maskz_compress_epi32(lows, index));
        _mm512_storeu_si512(high_end, _mm512_maskz_compress_epi32(highs, index));
        low_end += __builtin_popcount(lows);
        high_end += __builtin_popcount(highs);
        sum = _mm512_add_epi32(sum, _mm512_maskz_mov_epi32(lows, wide_values));
    }
    low_count = low_end - low;
    high_count = high_end - high;
    total = uint32_t(_mm512_reduce_add_epi32(sum));
}

}  // namespace vq::VQ_ISA
