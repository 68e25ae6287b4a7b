// Convolution by indirection, u8 codes × s8 weights into s32, any instruction set: for every output pixel the addresses
// of its taps. Tiles of tile_pixels[V] pixels × V · 16 channels: dense over all channels (`conv`), or over the changed
// 4-channel groups alone (`conv_residual`). The products are VQ_PRODUCTS', and take 70 to 79% of a frame (Zen 4,
// ResNet-18 and DDRNet-23-slim); what is here keeps the rest small.
#pragma once
#include "sparse_taps.h"
#include "taps.h"
#include "tile.h"
#include VQ_PRODUCTS

namespace vq::VQ_ISA {

static_assert(tile_pixels[1] <= 16 && tile_pixels[2] <= 16 && tile_pixels[3] <= 16 && tile_pixels[4] <= 16,
              "a tile in memory, and the pointers of its taps, have room for 16 pixels");
static_assert(delta_pixels[1] <= 16 && delta_pixels[2] <= 16 && delta_pixels[3] <= 16 && delta_pixels[4] <= 16,
              "so has the residual kernel's list");

template <int vectors>
inline void finish_vectors(const Conv& conv, const int32_t* acc, const int32_t* pixels, int m, const Block& b,
                           const float* sums) {
    alignas(64) float tile[64 * 16];
#pragma GCC unroll 8
    for (int i = 0; i < vectors; i++) {
        const F32 scale = F32::load(conv.scale + b.first + i * lanes),
                  bias = F32::load(conv.bias + b.first + i * lanes);
        for (int j = 0; j < m; j++)
            (to_float(I32::load(acc + 64 * j + i * lanes)) * scale + bias).store(tile + 64 * j + i * lanes);
    }
    if (sums)
        for (int j = 0; j < m; j++)
#pragma GCC unroll 8
            for (int i = 0; i < vectors; i++) {
                float* x = tile + 64 * j + i * lanes;
                const F32 scale = F32::load(conv.sparse.scale + b.first + i * lanes);
                (F32::load(x) + scale * F32::load(sums + 64 * j + i * lanes)).store(x);
            }
    run_tile(conv.program, {tile, pixels, m, b.first, b.channels});
}

// Accumulators of a tile become values and run through the program. acc and sums: pixels 64 apart. sums: what the
// sparse part of the input adds, before its scale; null where it has none.
template <int V>
inline void finish_tile(const Conv& conv, const Taps& taps, const int32_t* acc, const int32_t* pixels, int m,
                        const Block& b, const float* sums = nullptr) {
    if (taps.codes.on) return store_tile<V>(taps.codes, acc, sums, pixels, m, conv, b);
    if (taps.ending.on) return finish_pixels<V>(taps.ending, conv, b, acc, sums, pixels, m);
    if constexpr (V == 1 && lanes == 8)
        if (b.channels <= lanes) return finish_vectors<1>(conv, acc, pixels, m, b, sums);
    finish_vectors<V * 16 / lanes>(conv, acc, pixels, m, b, sums);
}

// Calls gemm<m, V> for m pixels, 1 ≤ m ≤ M.
template <int V, int M>
inline void gemm_of(int m, const uint8_t* const* pointers, int taps, const Block& b, const int32_t* start,
                    int32_t* acc) {
    if constexpr (M > 0) {
        if (m == M) gemm<M, V>(pointers, taps, b, start, acc);
        else gemm_of<V, M - 1>(m, pointers, taps, b, start, acc);
    }
}

// Floats that a tile will read and write, 256 bytes a pixel and block, come while its products are computed.
inline void fetch_floats(const Program& program, const int32_t* pixels, int m, const Block& b) {
    for (const Step *s = program.steps, *end = s + program.count; s != end; s++) {
        const bool stores = s->kind == Do::store;
        if (!stores && !(s->kind == Do::add && s->operand_pixel)) continue;
        const float* base = stores ? s->out.f32() : s->operand;
        const int64_t stride = stores ? s->out.stride : s->operand_pixel;
        for (int j = 0; j < m; j++) {
            const float* p = base + pixels[j] * stride + b.first;
            for (int c = 0; c < b.channels; c += 16)
                if (stores) __builtin_prefetch(p + c, 1);
                else __builtin_prefetch(p + c, 0);
        }
    }
}

// What the residual kernel adds to later, where it is kept; acc: pixels 64 apart.
template <int V>
inline void keep_accumulators(const Conv& conv, const int32_t* acc, const int32_t* pixels, int m, const Block& b) {
    if (!conv.accumulators) return;
    for (int j = 0; j < m; j++)
        __builtin_memcpy(conv.accumulators + int64_t(pixels[j]) * conv.accumulator_stride + b.first, acc + 64 * j,
                         64 * size_t(V));
}

template <int V>
inline void conv_block(const Conv& conv, const Taps& taps, Pixels pixels, const Block& b, const uint8_t** pointers) {
    constexpr int most = tile_pixels[V], together = 4 * most;
    alignas(64) int32_t acc[64 * most];
    alignas(64) float sums[64 * together];
    int32_t tiles[together];
    for (int64_t i = pixels.begin; i < pixels.end;) {
        const int all = taps.take(pixels, i, tiles, together);
        bool any = false;
        if (conv.sparse.input.begin) {
            int32_t ys[together], xs[together];
            for (int j = 0; j < all; j++) taps.place(tiles[j], ys[j], xs[j]);
            any = sparse_sums<V>(conv, b, ys, xs, all, sums);
        }
        for (int from = 0; from < all; from += most) {
            const int32_t* tile = tiles + from;
            const int m = all - from < most ? all - from : most;
            if (!taps.codes.on) fetch_floats(conv.program, tile, m, b);
            else
                for (int j = 0; j < m; j++) fetch_codes(taps.codes, tile[j], b.first);
            if (pixels.list && taps.pointwise && b.first == 0) {  // scattered: nothing else foresees what comes next
                const int64_t behind = i - all + from + m;
                for (int64_t next = behind; next < pixels.end && next < behind + m; next++)
                    for (int64_t c = 0; c < conv.in.stride; c += 64)
                        __builtin_prefetch(conv.in.u8() + pixels.list[next] * conv.in.stride + c);
            }
            const int each = taps.fill(tile, m, pointers);
            Block merged = b;
            merged.groups *= each;
            gemm_of<V, most>(m, pointers, conv.taps / each, merged, conv.start + b.first, acc);
            keep_accumulators<V>(conv, acc, tile, m, b);
            finish_tile<V>(conv, taps, acc, tile, m, b, any ? sums + 64 * from : nullptr);
        }
    }
}

static void conv(const Conv& conv, Pixels pixels) {
    const Taps taps(conv);
    const uint8_t* pointers[max_taps * 16];
    for (int k = 0; k < conv.block_count; k++) {
        const Block& b = conv.blocks[k];
        switch (b.vectors) {
            case 1: conv_block<1>(conv, taps, pixels, b, pointers); break;
            case 2: conv_block<2>(conv, taps, pixels, b, pointers); break;
            case 3: conv_block<3>(conv, taps, pixels, b, pointers); break;
            default: conv_block<4>(conv, taps, pixels, b, pointers);
        }
    }
}

template <int V, int M>
inline void gemm_delta_of(int m, const int32_t* deltas, const int32_t* rows, int count, const Block& b, int taps,
                          int32_t* const* out) {
    if constexpr (M > 0) {
        if (m == M) gemm_delta<M, V>(deltas, rows, count, b, taps, out);
        else gemm_delta_of<V, M - 1>(m, deltas, rows, count, b, taps, out);
    }
}

// The changed 4-channel groups of a tile become a list: a group is in it where it changed in any pixel of the tile, so
// that each row of weights that is loaded serves them all.
template <int V>
inline void residual_block(const Conv& conv, const Taps& taps, Pixels pixels, const Block& b) {
    constexpr int most = delta_pixels[V];
    int32_t deltas[delta_capacity * most], rows[delta_capacity];
    for (int64_t i = pixels.begin; i < pixels.end;) {
        int32_t tile[most], ys[most], xs[most];
        int32_t* out[most];
        int m = 0;
        for (; i < pixels.end && m < most; i++) {
            const int32_t pixel = pixels.at(i);
            if (!taps.mine(pixel)) continue;
            tile[m] = pixel;
            taps.place(pixel, ys[m], xs[m]);
            out[m++] = conv.accumulators + int64_t(pixel) * conv.accumulator_stride + b.first;
        }
        if (m == 0) break;
        // What the next tile will read and write comes meanwhile.
        for (int64_t next = i; next < pixels.end && next < i + m; next++) {
            const int64_t pixel = pixels.at(next);
            const int32_t* acc = conv.accumulators + pixel * conv.accumulator_stride + b.first;
            for (int v = 0; v < V; v++) __builtin_prefetch(acc + 16 * v, 1);
            fetch_codes(taps.codes, pixel, b.first);
            if (taps.pointwise)
                for (int64_t c = 0; c < conv.in.stride; c += 64)
                    __builtin_prefetch(conv.delta + pixel * conv.in.stride + c);
        }
        int count = 0;
        for (int t = 0; t < conv.taps; t++) {
            const int8_t* row[most];
            bool any = false;
            for (int j = 0; j < m; j++) {
                const int64_t at = taps.at(ys[j], xs[j], t);
                const bool changed = at >= 0 && conv.moved[at];
                row[j] = changed ? conv.delta + at * conv.in.stride + b.in_offset : nullptr;
                any |= changed;
            }
            if (!any) continue;
            for (int first = 0; first < b.groups; first += 16) {
                const int groups = b.groups - first < 16 ? b.groups - first : 16;
                uint32_t mask = 0;
                for (int j = 0; j < m; j++)
                    if (row[j]) mask |= changed_groups(row[j] + 4 * first, groups);
                for (; mask; mask &= mask - 1) {
                    const int group = first + __builtin_ctz(mask);
                    for (int j = 0; j < m; j++) {
                        int32_t four = 0;
                        if (row[j]) __builtin_memcpy(&four, row[j] + 4 * group, 4);
                        deltas[count * m + j] = four;
                    }
                    rows[count++] = t * b.groups + group;
                    if (count == delta_capacity) {
                        gemm_delta_of<V, most>(m, deltas, rows, count, b, conv.taps, out);
                        count = 0;
                    }
                }
            }
        }
        if (count) gemm_delta_of<V, most>(m, deltas, rows, count, b, conv.taps, out);
        for (int j = 0; j < m; j++) finish_tile<V>(conv, taps, out[j], tile + j, 1, b);
    }
}

static void conv_residual(const Conv& conv, Pixels pixels) {
    const Taps taps(conv);
    for (int k = 0; k < conv.block_count; k++) {
        const Block& b = conv.blocks[k];
        switch (b.vectors) {
            case 1: residual_block<1>(conv, taps, pixels, b); break;
            case 2: residual_block<2>(conv, taps, pixels, b); break;
            case 3: residual_block<3>(conv, taps, pixels, b); break;
            default: residual_block<4>(conv, taps, pixels, b);
        }
    }
}

}  // namespace vq::VQ_ISA
