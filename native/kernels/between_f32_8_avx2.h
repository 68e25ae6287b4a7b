// The float32 values between two others, 8 at a time, AVX2: those that are wanted move together by a table of
// permutations, without a branch for each, which a CPU would guess wrong every other time.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "a row of the table moves 8 values");

// Row m: the places of m's bits, in order.
struct Places8 {
    uint8_t rows[256][8] = {};
    constexpr Places8() {
        for (int m = 0; m < 256; m++)
            for (int bit = 0, count = 0; bit < 8; bit++)
                if (m >> bit & 1) rows[m][count++] = uint8_t(bit);
    }
};
static constexpr Places8 places8;

static void between_vector(const float* values, int64_t count, int32_t low, int32_t high, float* found,
                           int64_t& found_count, int64_t& below) {
    const __m256i lows = _mm256_set1_epi32(low), highs = _mm256_set1_epi32(high);
    const __m256i order = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    int64_t inside = 0, less = 0;
    for (int64_t i = 0; i < count; i += 8) {
        const int left = count - i < 8 ? int(count - i) : 8;
        const __m256i here = _mm256_cmpgt_epi32(_mm256_set1_epi32(left), order);
        const __m256i bits = _mm256_maskload_epi32(reinterpret_cast<const int*>(values + i), here);
        // As order_key: all bits but the sign's are turned where it is set.
        const __m256i key = _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
        const __m256i under = _mm256_and_si256(here, _mm256_cmpgt_epi32(lows, key));
        const __m256i outside = _mm256_or_si256(under, _mm256_cmpgt_epi32(key, highs));
        const int wanted = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_andnot_si256(outside, here)));
        int64_t row;
        __builtin_memcpy(&row, places8.rows[wanted], 8);
        const __m256i places = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(row));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(found + inside), _mm256_permutevar8x32_epi32(bits, places));
        inside += __builtin_popcount(unsigned(wanted));
        less += __builtin_popcount(unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(under))));
    }
    found_count = inside, below = less;
}

}  // namespace vq::VQ_ISA
