// The products of convolution: u8 codes × s8 weights into s32, one pixel × up to 64 channels, plain C++ for any CPU.
// The compiler makes vectors of the loop over channels.
#pragma once
#include "isa.h"

namespace vq::VQ_ISA {

constexpr int tile_pixels[5] = {0, 4, 4, 4, 4};

// acc[m][64] = start + Σ over taps and channel groups; pointers[tap · M + m] is the first byte of the pixel.
template <int M, int V>
static void gemm(const uint8_t* const* pointers, int taps, const Block& block, const int32_t* start, int32_t* out) {
    for (int m = 0; m < M; m++) {
        int32_t acc[16 * V];
        for (int c = 0; c < 16 * V; c++) acc[c] = start[c];
        const int8_t* w = block.weight;
        for (int tap = 0; tap < taps; tap++) {
            const uint8_t* x = pointers[tap * M + m] + block.in_offset;
            for (int group = 0; group < block.groups; group++, x += 4, w += 64 * V)
                for (int c = 0; c < 16 * V; c++)
                    acc[c] += x[0] * w[4 * c] + x[1] * w[4 * c + 1] + x[2] * w[4 * c + 2] + x[3] * w[4 * c + 3];
        }
        for (int c = 0; c < 16 * V; c++) out[64 * m + c] = acc[c];
    }
}

// acc[m][…] += Σ over the listed groups of w · δ. deltas[i · M + m] are the 4 changes of group i in pixel m,
// rows[i] its row of weights: tap · groups + group.
template <int M, int V>
static void gemm_delta(const int32_t* deltas, const int32_t* rows, int count, const Block& b, int,
                       int32_t* const* out) {
    for (int m = 0; m < M; m++) {
        int32_t acc[16 * V];
        for (int c = 0; c < 16 * V; c++) acc[c] = out[m][c];
        for (int i = 0; i < count; i++) {
            int8_t d[4];
            __builtin_memcpy(d, &deltas[i * M + m], 4);
            const int8_t* w = b.weight + int64_t(rows[i]) * 64 * V;
            for (int c = 0; c < 16 * V; c++)
                acc[c] += d[0] * w[4 * c] + d[1] * w[4 * c + 1] + d[2] * w[4 * c + 2] + d[3] * w[4 * c + 3];
        }
        for (int c = 0; c < 16 * V; c++) out[m][c] = acc[c];
    }
}

constexpr int delta_pixels[5] = {0, 4, 4, 4, 4};

// The most that the loop above gives: `rounds` times 16 channels of 4 pixels over 64 inputs, all of it in the nearest
// cache. Returns how many multiply–accumulates that was.
static int64_t peak(int64_t rounds) {
    constexpr int pixels = 4, channels = 16, inputs = 64;
    uint8_t x[inputs];
    int8_t weight[inputs * channels];
    for (uint8_t& v : x) v = 3;
    for (int8_t& v : weight) v = 5;
    const int32_t start[channels] = {};
    int32_t out[64 * pixels];
    Block block;
    block.weight = weight, block.groups = inputs / 4;
    const uint8_t* pointers[pixels] = {x, x, x, x};
    for (int64_t i = 0; i < rounds; i++) {
        gemm<pixels, 1>(pointers, 1, block, start, out);
        asm volatile("" : : "r"(out) : "memory");  // or the compiler drops what no one reads
    }
    return rounds * pixels * channels * inputs;
}

}  // namespace vq::VQ_ISA
