// The products of convolution: u8 codes × s8 weights into s32, 6 pixels × 16 channels in registers, Arm with dot
// products. One sdot multiplies 4 bytes for 4 channels and adds them, exactly. Not timed: no Arm machine was at hand;
// the tile is what 32 registers hold.
#pragma once
#include "isa.h"
#include VQ_VECTORS
#if !defined(__ARM_FEATURE_DOTPROD)
#error "for Arm with dot products: compile with -march=armv8.2-a+dotprod"
#endif

namespace vq::VQ_ISA {

static_assert(lanes == 4, "an accumulator holds 4 channels");

// 24 accumulators, 4 vectors of weights and one broadcast leave 3 of the 32 registers.
constexpr int tile_pixels[5] = {0, 6, 6, 6, 6};
constexpr int delta_pixels[5] = {0, 6, 6, 6, 6};

inline int8x16_t broadcast4(const void* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
// The dot product is of signed bytes: Σ x · w = Σ (x − 128) · w + 128 · Σ w, and x − 128 is x with its top bit flipped.
template <int M, int V>
static void gemm(const uint8_t* const* pointers, int taps, const Block& block, const int32_t* start, int32_t* out) {
    const int8x16_t top = vdupq_n_s8(int8_t(-128));
    for (int v = 0; v < V; v++) {
        int32x4_t acc[M][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            const int32x4_t first = vld1q_s32(start + 16 * v + 4 * j), sum = vld1q_s32(block.sums + 16 * v + 4 * j);
#pragma GCC unroll 6
            for (int m = 0; m < M; m++) acc[m][j] = vaddq_s32(first, vshlq_n_s32(sum, 7));
        }
        const int8_t* weight = block.weight + 64 * v;
        for (int tap = 0; tap < taps; tap++) {
            const uint8_t* x[M];
#pragma GCC unroll 6
            for (int m = 0; m < M; m++) x[m] = pointers[tap * M + m] + block.in_offset;
            for (int32_t group = 0; group < block.groups; group++, weight += 64 * V) {
                int8x16_t w[4];
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++) w[j] = vld1q_s8(weight + 16 * j);
#pragma GCC unroll 6
                for (int m = 0; m < M; m++) {
                    const int8x16_t four = veorq_s8(broadcast4(x[m] + 4 * group), top);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; j++) acc[m][j] = vdotq_s32(acc[m][j], w[j], four);
                }
            }
        }
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) vst1q_s32(out + 64 * m + 16 * v + 4 * j, acc[m][j]);
    }
}

// acc[m][…] += Σ over the listed groups of w · δ. deltas[i · M + m] are the 4 changes of group i in pixel m,
// rows[i] its row of weights: tap · groups + group.
template <int M, int V>
static void gemm_delta(const int32_t* deltas, const int32_t* rows, int count, const Block& b, int,
                       int32_t* const* out) {
    for (int v = 0; v < V; v++) {
        int32x4_t acc[M][4];
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) acc[m][j] = vld1q_s32(out[m] + 16 * v + 4 * j);
        for (int i = 0; i < count; i++) {
            int8x16_t w[4];
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) w[j] = vld1q_s8(b.weight + int64_t(rows[i]) * 64 * V + 64 * v + 16 * j);
#pragma GCC unroll 6
            for (int m = 0; m < M; m++) {
                const int8x16_t four = broadcast4(&deltas[i * M + m]);
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++) acc[m][j] = vdotq_s32(acc[m][j], w[j], four);
            }
        }
#pragma GCC unroll 6
        for (int m = 0; m < M; m++)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) vst1q_s32(out[m] + 16 * v + 4 * j, acc[m][j]);
    }
}

// The most that the instructions above give: `rounds` times independent dot products, in registers. Returns how many
// multiply–accumulates that were. The empty asm makes the operands look new, or the compiler would multiply once.
static int64_t peak(int64_t rounds) {
    constexpr int count = 16;
    int32x4_t acc[count];
    int8x16_t x = vdupq_n_s8(3), w = vdupq_n_s8(5);
    for (int32x4_t& a : acc) a = vdupq_n_s32(0);
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
        for (int32x4_t& a : acc) {
            asm volatile("" : "+w"(x));
            a = vdotq_s32(a, w, x);
        }
    }
    for (int32x4_t& a : acc) asm volatile("" : : "w"(a));
    return rounds * count * 16;
}

}  // namespace vq::VQ_ISA
