// The products of convolution: u8 codes × s8 weights into s32, 6 pixels × 16 channels in registers, AVX2. Bytes are
// widened to 16 bits and multiplied and added in pairs (vpmaddwd), which is exact; vpmaddubsw, which needs 3 steps
// where this needs 4, saturates. Weights are widened once and for all, inputs once for all channels of a block, which
// made convolutions 1.3 times faster when it was done.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVX2__)
#error "for AVX2: compile with -mavx2"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "an accumulator holds 8 channels");

// 12 accumulators, 2 vectors of weights, a broadcast and a product: all 16 registers.
constexpr int at_once = 6;
constexpr int tile_pixels[5] = {0, 12, 12, 12, 12};  // weights that have come near serve all of them
constexpr int delta_pixels[5] = {0, 6, 6, 6, 6};
constexpr int wide_columns = 512;  // input values of each pixel that are widened at a time: 12 KiB for all
constexpr int pitch = wide_columns + 16;

// out[m][8 · H] = start[m][8 · H] + Σ over columns, for M rows of 16-bit numbers, `pitch` apart; without `Start` the
// sums begin at 0. weights: [column / 2][16 channels][2].
template <int M, int H, bool Start = true>
static __attribute__((noinline)) void multiply(const int16_t* rows, int64_t pitch, int columns, const int16_t* weights,
                                               const int32_t* const* start, int32_t* const* out) {
    __m256i acc[M][H];
    const int16_t* row[M];
#pragma GCC unroll 12
    for (int m = 0; m < M; m++) {
        row[m] = rows + m * pitch;
#pragma GCC unroll 2
        for (int h = 0; h < H; h++)
            acc[m][h] = Start ? _mm256_loadu_si256((const __m256i*)(start[m] + 8 * h)) : _mm256_setzero_si256();
    }
    for (int k = 0; k < columns; k += 2, weights += 32) {
        __m256i w[H];
#pragma GCC unroll 2
        for (int h = 0; h < H; h++) w[h] = _mm256_load_si256((const __m256i*)(weights + 16 * h));
#pragma GCC unroll 12
        for (int m = 0; m < M; m++) {
            int32_t two;
            __builtin_memcpy(&two, row[m] + k, 4);
            const __m256i x = _mm256_set1_epi32(two);
#pragma GCC unroll 2
            for (int h = 0; h < H; h++) acc[m][h] = _mm256_add_epi32(acc[m][h], _mm256_madd_epi16(w[h], x));
        }
    }
#pragma GCC unroll 12
    for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int h = 0; h < H; h++) _mm256_storeu_si256((__m256i*)(out[m] + 8 * h), acc[m][h]);
}

// The same for up to 12 rows; channels: how many of the 16 are wanted.
template <int M>
inline void multiply_rows(const int16_t* rows, int columns, const int16_t* weights, int channels,
                          const int32_t* const* start, int32_t* const* out) {
    if (channels <= 8) return multiply<M, 1>(rows, pitch, columns, weights, start, out);
    constexpr int part = M < at_once ? M : at_once;
    multiply<part, 2>(rows, pitch, columns, weights, start, out);
    if constexpr (M > part)
        multiply<M - part, 2>(rows + part * pitch, pitch, columns, weights, start + part, out + part);
}

inline int32_t sum_of(__m256i x) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
}

// As gemm, for few output channels, one after the other: lanes hold columns then.
constexpr int few_channels = 4;
template <int M>
static __attribute__((noinline)) void gemm_few(const uint8_t* const* pointers, int taps, const Block& block,
                                               const int32_t* start, int32_t* out) {
    const int64_t each = 4 * int64_t(block.groups);
    for (int c = 0; c < block.channels; c++) {
        __m256i acc[M];
        for (__m256i& a : acc) a = _mm256_setzero_si256();
        const int16_t* weights = block.pairs->as<int16_t>() + 2 * c;
        for (int tap = 0; tap < taps; tap++)
            for (int64_t at = 0; at < each; at += wide_columns) {
                const int columns = int(each - at < wide_columns ? each - at : wide_columns);
                alignas(32) int16_t own[wide_columns];
                int k = 0;
                for (; k < columns; k += 2, weights += 32) __builtin_memcpy(own + k, weights, 4);
                for (; k % 16; k += 2) __builtin_memset(own + k, 0, 4);  // these meet what lies past the last column
                for (int m = 0; m < M; m++) {
                    const uint8_t* x = pointers[tap * M + m] + block.in_offset + at;
                    __m256i sum = acc[m];
                    for (int i = 0; i < columns; i += 16) {
                        const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(x + i)));
                        const __m256i w = _mm256_load_si256((const __m256i*)(own + i));
                        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(wide, w));
                    }
                    acc[m] = sum;
                }
            }
        for (int m = 0; m < M; m++) out[64 * m + c] = start[c] + sum_of(acc[m]);
    }
}

// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
template <int M, int V>
static void gemm(const uint8_t* const* pointers, int taps, const Block& block, const int32_t* start, int32_t* out) {
    if constexpr (V == 1)
        if (block.channels <= few_channels) return gemm_few<M>(pointers, taps, block, start, out);
    alignas(64) int16_t rows[M * pitch];
    const int16_t* weights = block.pairs->as<int16_t>();
    const int64_t each = 4 * int64_t(block.groups), next = 16 * taps * each;  // of a tap; from a vector to the next
    const int32_t* from[M];
    int32_t* to[M];
    int columns = 0;
    bool first = true;
    const auto work_off = [&] {
        for (int v = 0; v < V; v++) {
            for (int m = 0; m < M; m++) {
                to[m] = out + 64 * m + 16 * v;
                from[m] = first ? start + 16 * v : to[m];
            }
            multiply_rows<M>(rows, columns, weights + v * next, block.channels - 16 * v, from, to);
        }
        weights += 16 * columns;
        columns = 0;
        first = false;
    };
    for (int tap = 0; tap < taps; tap++)
        for (int64_t at = 0; at < each;) {
            if (columns == wide_columns) work_off();
            const int take = int(each - at < wide_columns - columns ? each - at : wide_columns - columns);
            for (int m = 0; m < M; m++) {
                const uint8_t* x = pointers[tap * M + m] + block.in_offset + at;
                int16_t* row = rows + m * pitch + columns;
                for (int i = 0; i < take; i += 16)  // may widen past the end, which the next values overwrite
                    _mm256_storeu_si256((__m256i*)(row + i),
                                        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)(x + i))));
            }
            columns += take;
            at += take;
        }
    work_off();
}

// acc[m][…] += Σ over the listed groups of w · δ. deltas[i · M + m] are the 4 changes of group i in pixel m,
// rows[i] its row of weights: tap · groups + group.
template <int M, int V>
static __attribute__((noinline)) void gemm_delta(const int32_t* deltas, const int32_t* rows, int count, const Block& b,
                                                 int taps, int32_t* const* out) {
    alignas(32) int16_t widened[4 * (delta_capacity * M + 4)];
    for (int i = 0; i < count * M; i += 4)  // may widen past the end
        _mm256_store_si256((__m256i*)(widened + 4 * i),
                           _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(deltas + i))));
    for (int v = 0; v < V; v++) {
        const int16_t* weights = b.pairs->as<int16_t>() + v * 64 * int64_t(taps) * b.groups;
        __m256i acc[M][2];
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) acc[m][h] = _mm256_loadu_si256((const __m256i*)(out[m] + 16 * v + 8 * h));
        const int16_t* x = widened;
        for (int i = 0; i < count; i++, x += 4 * M) {
            const __m256i* w = (const __m256i*)(weights + 64 * int64_t(rows[i]));
#pragma GCC unroll 2
            for (int pair = 0; pair < 2; pair++) {
                const __m256i w0 = _mm256_load_si256(w + 2 * pair), w1 = _mm256_load_si256(w + 2 * pair + 1);
#pragma GCC unroll 6
                for (int m = 0; m < M; m++) {
                    int32_t two;
                    __builtin_memcpy(&two, x + 4 * m + 2 * pair, 4);
                    const __m256i both = _mm256_set1_epi32(two);
                    acc[m][0] = _mm256_add_epi32(acc[m][0], _mm256_madd_epi16(w0, both));
                    acc[m][1] = _mm256_add_epi32(acc[m][1], _mm256_madd_epi16(w1, both));
                }
            }
        }
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) _mm256_storeu_si256((__m256i*)(out[m] + 16 * v + 8 * h), acc[m][h]);
    }
}

// The most that the instructions above give: `rounds` times independent products, in registers. Returns how many
// multiply–accumulates that were. Written in assembly, or the compiler would multiply once.
static int64_t peak(int64_t rounds) {
    constexpr int count = 12;
    __m256i acc[count], x = _mm256_set1_epi16(3), w = _mm256_set1_epi16(5);
#pragma GCC unroll 12
    for (__m256i& a : acc) a = _mm256_setzero_si256();
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (__m256i& a : acc) {
            __m256i product;
            asm volatile("vpmaddwd %2, %1, %0" : "=x"(product) : "x"(w), "x"(x));
            a = _mm256_add_epi32(a, product);
        }
    }
#pragma GCC unroll 12
    for (__m256i& a : acc) asm volatile("" : : "x"(a));
    return rounds * count * 16;
}

}  // namespace vq::VQ_ISA
