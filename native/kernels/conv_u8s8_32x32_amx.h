// Convolution on AMX's tiles: 16 pixels × 64 bytes of codes times 64 bytes × 16 channels of weights, four products for
// four loads, in registers of 32 pixels × 32 channels of sums. Any set of pixels costs its share, as in conv.h.
// What stands around the products is conv.h's, and so is what tiles do not repay (pack_tiles decides that).
#pragma once
#include "../core/threads.h"
#include "conv.h"
#include "pixel_tiles_amx.h"
#if !defined(__AMX_INT8__)
#error "for AMX with int8"
#endif

namespace vq::VQ_ISA {

// Registers 0 … 3: sums, 16 pixels × 16 channels; 4, 5: 16 pixels × 64 bytes; 6, 7: 16 groups of 4 bytes × 16 channels.
struct alignas(64) TileConfig {
    uint8_t palette = 0, start = 0, unused[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

inline TileConfig& config_before() {
    static thread_local TileConfig before;
    return before;
}
// GCC 12 does not know what memory its instructions for tiles read and write: what lies before this is in memory.
inline __attribute__((always_inline)) void settle(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

// What another library of this thread had configured comes back afterwards.
static void begin_tiles() {
    _tile_storeconfig(&config_before());
    settle(&config_before());
    TileConfig config;
    config.palette = 1;
    for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = 16;
    settle(&config);
    _tile_loadconfig(&config);
}
static void end_tiles() {
    if (config_before().palette) _tile_loadconfig(&config_before());
    else _tile_release();
}
constexpr ThreadState tile_state{begin_tiles, end_tiles};

// Sums of 32 pixels × 64 channels that wait to be scaled and stored. That is vector work, and is done between the products
// of the next sums, which leave the vectors idle.
constexpr int group_pixels = 2 * tile_rows;
struct Pending {
    alignas(64) int32_t acc[64 * group_pixels];  // pixels 64 apart
    alignas(64) float sparse[64 * group_pixels];
    int32_t pixels[group_pixels];
    const Block* block = nullptr;
    bool any_sparse = false;
    int count = 0, done = 0;
    void (*finish)(const Ending&, const Conv&, const Block&, const int32_t*, const float*, const int32_t*, int) = nullptr;

    void some(const Taps& taps, int n) {
        n = count - done < n ? count - done : n;
        if (n <= 0) return;
        finish(taps.ending, taps.conv, *block, acc + 64 * done, any_sparse ? sparse + 64 * done : nullptr, pixels + done, n);
        done += n;
    }
};

// sums[64 · j + c] of M · 16 pixels × N · 16 channels begin at start[c], or go on where `first` is false. After each
// chunk some pixels of `pending` are finished.
template <int M, int N>
static __attribute__((noinline)) void multiply_tiles(const TileRows* rows, const int8_t* weight, int chunks,
                                                     bool first, const int32_t* start, int32_t* sums,
                                                     const Taps& taps, Pending& pending, int some) {
    settle(rows);
    const int32_t* from = first ? start : sums;
    const ptrdiff_t distance = first ? 0 : 256;  // 0: every row is the same
    _tile_loadd(0, from, distance);
    if (N > 1) _tile_loadd(1, from + 16, distance);
    if (!first) from += 64 * tile_rows;
    if (M > 1) _tile_loadd(2, from, distance);
    if (M > 1 && N > 1) _tile_loadd(3, from + 16, distance);
    for (int c = 0; c < chunks; c++, weight += N * 1024) {
        _tile_loadd(6, weight, 64);
        _tile_loadd(4, rows[0].begin[c], rows[0].stride[c]);
        _tile_dpbusd(0, 4, 6);
        if (N > 1) {
            _tile_loadd(7, weight + 1024, 64);
            _tile_dpbusd(1, 4, 7);
        }
        if (M > 1) {
            _tile_loadd(5, rows[1].begin[c], rows[1].stride[c]);
            _tile_dpbusd(2, 5, 6);
            if (N > 1) _tile_dpbusd(3, 5, 7);
        }
        pending.some(taps, some);
    }
    _tile_stored(0, sums, 256);
    if (N > 1) _tile_stored(1, sums + 16, 256);
    if (M > 1) _tile_stored(2, sums + 64 * tile_rows, 256);
    if (M > 1 && N > 1) _tile_stored(3, sums + 64 * tile_rows + 16, 256);
}

// Up to 32 pixels: two tiles share weights that are in registers.
struct TileGroup {
    int32_t pixels[group_pixels];
    int count = 0;
    PixelTile tiles[2];
    Room rooms[2];
    TileRows rows[2];
    int ready = -1;  // the channels from which the rows are, where they have all chunks

    explicit TileGroup(const Conv& conv) {
        for (Room& room : rooms) std::memset(room.zeros, *conv.zeros, 64);
    }
    bool take(const Taps& taps, Pixels from, int64_t& i) {
        count = taps.take(from, i, pixels, group_pixels);
        ready = -1;
        for (int at = 0; at < count; at += tile_rows)
            tiles[at / tile_rows].take(taps, pixels + at, count - at < tile_rows ? count - at : tile_rows);
        return count > 0;
    }

    // The sums for N · 16 channels, whose weights and `start` these are, of pixels that are read from byte `from` on;
    // some: pixels of `pending` that are finished after each chunk.
    template <int N>
    void multiply(const Chunks& chunks, int32_t from, const int8_t* weight, const int32_t* start, int32_t* acc,
                  Pending& pending, int some) {
        const auto call = count > tile_rows ? multiply_tiles<2, N> : multiply_tiles<1, N>;
        for (int first = 0; first < chunks.count; first += piece) {
            const int n = chunks.count - first < piece ? chunks.count - first : piece;
            if (ready != from)
                for (int i = 0; i * tile_rows < count; i++) tiles[i].find(chunks, from, first, n, rooms[i], rows[i]);
            if (n == chunks.count) ready = from;
            call(rows, weight + int64_t(first) * N * 1024, n, first == 0, start, acc, chunks.taps, pending, some);
        }
    }
};

// Computes the sums of a group for a block, and finishes those before meanwhile.
template <int V>
inline void tile_block(const Conv& conv, const Chunks& chunks, TileGroup& group, const Block& b, Pending& now,
                       Pending& before) {
    const Taps& taps = chunks.taps;
    now.block = &b, now.count = group.count, now.done = 0, now.any_sparse = false;
    now.finish = finish_pixels<V>;
    std::memcpy(now.pixels, group.pixels, sizeof now.pixels);
    if (conv.sparse.input.begin) {
        int32_t ys[group_pixels], xs[group_pixels];
        for (int j = 0; j < group.count; j++) taps.place(group.pixels[j], ys[j], xs[j]);
        now.any_sparse = sparse_sums<V>(conv, b, ys, xs, group.count, now.sparse);
    }
    if (!taps.codes.on) fetch_floats(conv.program, group.pixels, group.count, b);
    else
        for (int j = 0; j < group.count; j++) fetch_codes(taps.codes, group.pixels[j], b.first);
    const int loops = chunks.count * ((V + 1) / 2), some = (before.count - before.done + loops - 1) / loops;
    const int8_t* weight = b.tiles->as<int8_t>();
#pragma GCC unroll 2
    for (int v = 0; v < V; v += 2) {
        const int32_t* start = conv.start + b.first + 16 * v;
        if (v + 1 < V) group.multiply<2>(chunks, b.in_offset, weight, start, now.acc + 16 * v, before, some);
        else group.multiply<1>(chunks, b.in_offset, weight, start, now.acc + 16 * v, before, some);
        weight += int64_t(chunks.count) * 2048;
    }
    before.some(taps, before.count);
    keep_accumulators<V>(conv, now.acc, now.pixels, now.count, b);
    if (taps.ending.on) return;
    for (int from = 0; from < now.count; from += tile_rows) {
        const int m = now.count - from < tile_rows ? now.count - from : tile_rows;
        finish_tile<V>(conv, taps, now.acc + 64 * from, now.pixels + from, m, b,
                       now.any_sparse ? now.sparse + 64 * from : nullptr);
    }
    now.done = now.count;
}

// Weights that the second cache holds beside all else are gone through for every group of pixels, which stays in the
// nearest one meanwhile; others block by block. Batches of groups, for which 32 channels' weights stay in the nearest cache,
// were no faster.
constexpr int64_t second_weights = 1 << 20;

static void conv_tiles(const Conv& args, Pixels pixels) {
    if (args.blocks[0].tiles->bytes() == 0) return conv(args, pixels);
    const Taps taps(args);
    const Chunks chunks(taps);
    TileGroup group(args);
    Pending pending[2];
    int turn = 0;
    const int64_t weights = int64_t(chunks.count) * 1024 * ((args.out.c + 15) / 16);
    const int together = weights <= second_weights ? args.block_count : 1;
    for (int from = 0; from < args.block_count; from += together)
        for (int64_t i = pixels.begin; i < pixels.end && group.take(taps, pixels, i);)
            for (int k = from; k < from + together; k++, turn = 1 - turn) {
                const Block& b = args.blocks[k];
                Pending &now = pending[turn], &before = pending[1 - turn];
                switch (b.vectors) {
                    case 1: tile_block<1>(args, chunks, group, b, now, before); break;
                    case 2: tile_block<2>(args, chunks, group, b, now, before); break;
                    case 3: tile_block<3>(args, chunks, group, b, now, before); break;
                    default: tile_block<4>(args, chunks, group, b, now, before);
                }
            }
    pending[1 - turn].some(taps, group_pixels);
}

// As fast as tiles multiply, in registers.
static int64_t peak_tiles(int64_t rounds) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int64_t i = 0; i < rounds; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    return rounds * 4 * 16 * 16 * 64;
}

}  // namespace vq::VQ_ISA
