// The products of convolution: u8 codes × s8 weights into s32, AVX-512 VNNI. In registers: 6 pixels × 64 channels, 8 ×
// 48, 12 × 32 or 12 × 16. One vpdpbusd multiplies 4 bytes for 16 channels and adds them, exactly; 6 × 64 takes 4 loads
// of weights and 6 broadcasts for 24 products, so that loads do not limit. On Zen 4 these loops run at 94% of the
// measured ceiling in ResNet-18, and at 81% in DDRNet-23-slim.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__AVX512VNNI__)
#error "for AVX-512 with VNNI"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 16, "an accumulator holds 16 channels");

// As many pixels as leave registers for the weights and one broadcast: at most 24 accumulators.
constexpr int tile_pixels[5] = {0, 12, 12, 8, 6};

// acc += x · w over 4 bytes a lane: x unsigned, w signed. GCC 12 spills the accumulators of the plain intrinsic.
inline __attribute__((always_inline)) void dot4(__m512i& acc, __m512i x, __m512i w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
}

inline __attribute__((always_inline)) __m512i broadcast4(const void* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
}

// Not inlined: inside a larger function GCC 12 spills the accumulators, which takes twice the time.
// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
template <int M, int V>
static __attribute__((noinline)) void gemm(const uint8_t* const* pointers, int taps, const Block& block,
                                           const int32_t* start, int32_t* out) {
    __m512i acc[M][V];
#pragma GCC unroll 12
    for (int m = 0; m < M; m++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) acc[m][v] = _mm512_loadu_si512(start + 16 * v);
    const int8_t* weight = block.weight;
    const int64_t offset = block.in_offset;
    for (int tap = 0; tap < taps; tap++, pointers += M) {
        const uint8_t* x[M];
#pragma GCC unroll 12
        for (int m = 0; m < M; m++) x[m] = pointers[m] + offset;
        for (int64_t k = 0; k < 4 * int64_t(block.groups); k += 4) {
            __m512i w[V];
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) w[v] = _mm512_load_si512(weight + 64 * v);
            weight += 64 * V;
#pragma GCC unroll 12
            for (int m = 0; m < M; m++) {
                const __m512i four = broadcast4(x[m] + k);
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) dot4(acc[m][v], four, w[v]);
            }
        }
    }
#pragma GCC unroll 12
    for (int m = 0; m < M; m++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) _mm512_storeu_si512(out + 64 * m + 16 * v, acc[m][v]);
}

// acc[m][…] += Σ over the listed groups of (w + 128) · δ − 128 · Σδ = Σ w · δ: here the weights are the unsigned
// operand and the changes the signed one. deltas[i · M + m] are the 4 changes of group i in pixel m, rows[i] its row
// of weights: tap · groups + group.
template <int M, int V>
static __attribute__((noinline)) void gemm_delta(const int32_t* deltas, const int32_t* rows, int count,
                                                 const Block& b, int, int32_t* const* out) {
    __m512i acc[M][V];
    __m512i sum[M];
#pragma GCC unroll 12
    for (int m = 0; m < M; m++) {
        sum[m] = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) acc[m][v] = _mm512_loadu_si512(out[m] + 16 * v);
    }
    const __m512i high = _mm512_set1_epi8(char(0x80));
    for (int i = 0; i < count; i++) {
        const int8_t* weight = b.weight + int64_t(rows[i]) * 64 * V;
        __m512i w[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) w[v] = _mm512_xor_si512(_mm512_load_si512(weight + 64 * v), high);
#pragma GCC unroll 12
        for (int m = 0; m < M; m++) {
            const __m512i four = _mm512_set1_epi32(deltas[i * M + m]);
            dot4(sum[m], high, four);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) dot4(acc[m][v], w[v], four);
        }
    }
#pragma GCC unroll 12
    for (int m = 0; m < M; m++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) _mm512_storeu_si512(out[m] + 16 * v, _mm512_sub_epi32(acc[m][v], sum[m]));
}

constexpr int delta_pixels[5] = {0, 8, 6, 5, 4};

// The most that the instructions above give: `rounds` times independent dot products, in registers. Returns how many
// multiply–accumulates that were. The empty asm makes the operands look new, or the compiler would multiply once.
static int64_t peak(int64_t rounds) {
    constexpr int count = 16;
    __m512i acc[count], x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(5);
    for (__m512i& a : acc) a = _mm512_setzero_si512();
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
        for (__m512i& a : acc) {
            asm volatile("" : "+v"(x));
            dot4(a, x, w);
        }
    }
    for (__m512i& a : acc) asm volatile("" : : "v"(a));
    return rounds * count * 64;
}

}  // namespace vq::VQ_ISA
