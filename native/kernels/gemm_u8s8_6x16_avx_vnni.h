// The products of convolution: u8 codes × s8 weights into s32, 6 pixels × 16 channels in registers, AVX-VNNI: the dot
// products of bytes of AVX-512 on vectors of 256 bits, which client CPUs have (Intel since Alder Lake, AMD since Zen 5).
// 12 accumulators, 2 vectors of weights and a broadcast: 15 of 16 registers.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVXVNNI__)
#error "for AVX-VNNI"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 8, "an accumulator holds 8 channels");

constexpr int at_once = 6;
constexpr int tile_pixels[5] = {0, 12, 12, 12, 12};  // weights that have come near serve all of them
constexpr int delta_pixels[5] = {0, 6, 6, 6, 6};

// acc += x · w over 4 bytes a lane: x unsigned, w signed. GCC 12 spills the accumulators of the plain intrinsic.
inline __attribute__((always_inline)) void dot4(__m256i& acc, __m256i x, __m256i w) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(w));
}

inline __attribute__((always_inline)) __m256i broadcast4(const void* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
}

// M of the `all` pixels × 8 · H channels; weight: their first row, `row` bytes from one to the next.
template <int M, int H>
static __attribute__((noinline)) void dot_rows(const uint8_t* const* pointers, int all, int taps, const Block& block,
                                               const int8_t* weight, int64_t row, const int32_t* start, int32_t* out) {
    __m256i acc[M][H];
#pragma GCC unroll 6
    for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int h = 0; h < H; h++) acc[m][h] = _mm256_loadu_si256((const __m256i*)(start + 8 * h));
    const int64_t offset = block.in_offset;
    for (int tap = 0; tap < taps; tap++, pointers += all) {
        const uint8_t* x[M];
#pragma GCC unroll 6
        for (int m = 0; m < M; m++) x[m] = pointers[m] + offset;
        for (int64_t k = 0; k < 4 * int64_t(block.groups); k += 4, weight += row) {
            __m256i w[H];
#pragma GCC unroll 2
            for (int h = 0; h < H; h++) w[h] = _mm256_load_si256((const __m256i*)(weight + 32 * h));
#pragma GCC unroll 6
            for (int m = 0; m < M; m++) {
                const __m256i four = broadcast4(x[m] + k);
#pragma GCC unroll 2
                for (int h = 0; h < H; h++) dot4(acc[m][h], four, w[h]);
            }
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int h = 0; h < H; h++) _mm256_storeu_si256((__m256i*)(out + 64 * m + 8 * h), acc[m][h]);
}

// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
template <int M, int V>
static void gemm(const uint8_t* const* pointers, int taps, const Block& block, const int32_t* start, int32_t* out) {
    constexpr int part = M < at_once ? M : at_once;
    const auto all_of = [&](const int8_t* weight, const int32_t* from, int32_t* to, auto halves) {
        dot_rows<part, halves.value>(pointers, M, taps, block, weight, 64 * V, from, to);
        if constexpr (M > part)
            dot_rows<M - part, halves.value>(pointers + part, M, taps, block, weight, 64 * V, from, to + 64 * part);
    };
    for (int v = 0; v < V; v++) {
        if (block.channels - 16 * v <= 8)
            all_of(block.weight + 64 * v, start + 16 * v, out + 16 * v, std::integral_constant<int, 1>());
        else all_of(block.weight + 64 * v, start + 16 * v, out + 16 * v, std::integral_constant<int, 2>());
    }
}

// acc[m][…] += Σ over the listed groups of (w + 128) · δ − 128 · Σδ = Σ w · δ: here the weights are the unsigned
// operand and the changes the signed one. deltas[i · M + m] are the 4 changes of group i in pixel m, rows[i] its row
// of weights: tap · groups + group.
template <int M, int V>
static __attribute__((noinline)) void gemm_delta(const int32_t* deltas, const int32_t* rows, int count, const Block& b,
                                                 int, int32_t* const* out) {
    const __m256i high = _mm256_set1_epi8(char(0x80));
    alignas(32) int32_t sums[8];  // 128 · Σδ of each pixel
    for (int m = 0; m < M; m++) {
        int32_t sum = 0;
        for (int i = 0; i < count; i++) {
            int8_t four[4];
            __builtin_memcpy(four, deltas + i * M + m, 4);
            sum += four[0] + four[1] + four[2] + four[3];
        }
        sums[m] = 128 * sum;
    }
    for (int v = 0; v < V; v++) {
        __m256i acc[M][2];
#pragma GCC unroll 6
        for (int m = 0; m < M; m++) {
            const __m256i sum = _mm256_set1_epi32(sums[m]);
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++)
                acc[m][h] =
                    _mm256_sub_epi32(_mm256_loadu_si256((const __m256i*)(out[m] + 16 * v + 8 * h)), sum);
        }
        for (int i = 0; i < count; i++) {
            const __m256i* weight = (const __m256i*)(b.weight + int64_t(rows[i]) * 64 * V + 64 * v);
            const __m256i w0 = _mm256_xor_si256(_mm256_load_si256(weight), high),
                          w1 = _mm256_xor_si256(_mm256_load_si256(weight + 1), high);
#pragma GCC unroll 6
            for (int m = 0; m < M; m++) {
                const __m256i four = _mm256_set1_epi32(deltas[i * M + m]);
                dot4(acc[m][0], w0, four);
                dot4(acc[m][1], w1, four);
            }
        }
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) _mm256_storeu_si256((__m256i*)(out[m] + 16 * v + 8 * h), acc[m][h]);
    }
}

// The most that the instructions above give: `rounds` times independent dot products, in registers. Returns how many
// multiply–accumulates that were. The empty asm makes the operands look new, or the compiler would multiply once.
static int64_t peak(int64_t rounds) {
    constexpr int count = 12;
    __m256i acc[count], x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(5);
#pragma GCC unroll 12
    for (__m256i& a : acc) a = _mm256_setzero_si256();
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (__m256i& a : acc) {
            asm volatile("" : "+x"(x));
            dot4(a, x, w);
        }
    }
#pragma GCC unroll 12
    for (__m256i& a : acc) asm volatile("" : : "x"(a));
    return rounds * count * 32;
}

}  // namespace vq::VQ_ISA
