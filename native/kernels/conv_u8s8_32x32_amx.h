// Convolution on AMX's tiles: 16 pixels × 64 bytes of codes times 64 bytes × 16 channels of weights, four products for
// four loads, in registers of 32 pixels × 32 channels of sums. A tile of pixels is loaded from where its codes lie, with
// one distance between its rows, where all 16 follow each other in a row of the map and see no edge; else what its taps
// read is copied together first, so that any set of pixels costs its share, as in conv.h.
// What stands around the products is conv.h's, and so is what tiles do not repay (pack_tiles decides that).
#pragma once
#include "../core/threads.h"
#include "conv.h"
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

constexpr int tile_rows = 16;
constexpr int piece = 40;  // chunks of 64 bytes that are made ready at a time: all of a 3×3 kernel over 256 channels

// Where chunks of a tile of pixels lie: chunk c of pixel j at begin[c] + j · stride[c].
struct TileRows {
    const uint8_t* begin[piece];
    ptrdiff_t stride[piece];
};

// sums[64 · j + c] of M · 16 pixels × N · 16 channels begin at start[c], or go on where `first` is false.
template <int M, int N>
static __attribute__((noinline)) void multiply_tiles(const TileRows* rows, const int8_t* weight, ptrdiff_t next,
                                                     int chunks, bool first, const int32_t* start, int32_t* sums) {
    settle(rows);
    const int32_t* from = first ? start : sums;
    const ptrdiff_t distance = first ? 0 : 256;  // 0: every row is the same
    _tile_loadd(0, from, distance);
    if (N > 1) _tile_loadd(1, from + 16, distance);
    if (!first) from += 64 * tile_rows;
    if (M > 1) _tile_loadd(2, from, distance);
    if (M > 1 && N > 1) _tile_loadd(3, from + 16, distance);
    for (int c = 0; c < chunks; c++, weight += next) {
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
    }
    _tile_stored(0, sums, 256);
    if (N > 1) _tile_stored(1, sums + 16, 256);
    if (M > 1) _tile_stored(2, sums + 64 * tile_rows, 256);
    if (M > 1 && N > 1) _tile_stored(3, sums + 64 * tile_rows + 16, 256);
}

// What the taps of an output pixel read, in chunks of 64 bytes, in the order of pack_tiles: each run of taps has whole
// ones, of which the last may reach past it, where weights are 0.
struct Chunks {
    const Taps& taps;
    int each, of_run, count;  // bytes of a tap; chunks of a run of taps, and in all

    explicit Chunks(const Taps& t)
        : taps(t), each(4 * t.conv.blocks[0].groups), of_run(chunks_of(t.run * each)),
          count(t.conv.taps / t.run * of_run) {}
    static int chunks_of(int bytes) { return (bytes + 63) / 64; }
    // A chunk's first tap and its first byte there, its last tap, and how many bytes it has.
    struct Place {
        int tap, byte, last, bytes;
    };
    Place place(int c) const {
        const int run = c / of_run, at = c % of_run * 64;
        const int bytes = taps.run * each - at < 64 ? taps.run * each - at : 64;
        return {run * taps.run + at / each, at % each, run * taps.run + (at + bytes - 1) / each, bytes};
    }
    ptrdiff_t offset(const Place& p) const {
        return taps.conv.dy[p.tap] * taps.row + taps.conv.dx[p.tap] * taps.column + p.byte;
    }
};

// Up to 16 pixels, and room for what has to be copied of them.
struct PixelTile {
    const int32_t* pixels = nullptr;
    int count = 0;
    bool in_row = false, inside = false;  // 16 neighbours in a row; of which none sees an edge
    int32_t ys[tile_rows], xs[tile_rows];
    // The distance between rows is not a power of two: those would share few sets of the cache.
    static constexpr ptrdiff_t pitch = 64 * piece + 64;
    alignas(64) uint8_t room[tile_rows * pitch];
    alignas(64) uint8_t zeros[64];

    void take(const Taps& taps, const int32_t* from, int n) {
        pixels = from, count = n;
        std::memset(zeros, *taps.conv.zeros, 64);
        taps.place(from[0], ys[0], xs[0]);
        const int32_t last = xs[0] + (tile_rows - 1) * taps.conv.stride_x;
        in_row = n == tile_rows && from[n - 1] - from[0] == (n - 1) * taps.conv.step_x &&
                 (taps.pointwise || last < taps.row_end);
        inside = in_row && (taps.pointwise || (taps.inside(ys[0], xs[0]) && taps.inside(ys[0], last)));
        if (!in_row)
            for (int j = 1; j < n; j++) taps.place(from[j], ys[j], xs[j]);
        else
            for (int j = 1; j < n; j++) ys[j] = ys[0], xs[j] = xs[0] + j * taps.conv.stride_x;
    }

    // Makes chunks first … first + n − 1 ready, which begin at byte `from` of each pixel.
    void find(const Chunks& chunks, int32_t from, int first, int n, TileRows& rows) {
        const Taps& taps = chunks.taps;
        const Conv& conv = taps.conv;
        const uint8_t* base = conv.in.u8() + ys[0] * taps.row + xs[0] * taps.column + from;
        for (int i = 0; i < n; i++) {
            const Chunks::Place place = chunks.place(first + i);
            rows.begin[i] = base + chunks.offset(place);
            rows.stride[i] = conv.stride_x * taps.column;
            if (inside) continue;
            if (in_row) {
                if (uint32_t(ys[0] + conv.dy[place.tap]) >= uint32_t(conv.in.h)) {
                    rows.begin[i] = zeros, rows.stride[i] = 0;
                    continue;
                }
                if (xs[0] + conv.dx[place.tap] >= 0 && xs[tile_rows - 1] + conv.dx[place.last] < conv.in.w) continue;
            }
            rows.begin[i] = room + 64 * i, rows.stride[i] = pitch;
            for (int j = 0; j < count; j++) copy(chunks, from, place, j, room + j * pitch + 64 * i);
        }
    }

private:
    void copy(const Chunks& chunks, int32_t from, const Chunks::Place& place, int j, uint8_t* to) const {
        const Taps& taps = chunks.taps;
        int tap = place.tap, byte = place.byte;
        for (int left = place.bytes; left > 0; tap++, byte = 0) {
            const int64_t at = taps.at(ys[j], xs[j], tap);
            const uint8_t* in = at >= 0 ? taps.conv.in.u8() + at * taps.column + from + byte : zeros;
            _mm512_storeu_si512(to, _mm512_loadu_si512(in));  // what is too much is overwritten, or meets weights of 0
            to += chunks.each - byte;
            left -= chunks.each - byte;
        }
    }
};

// The products of a group of up to 32 pixels with all of a block's weights.
struct TileGroup {
    int32_t pixels[2 * tile_rows];
    int count = 0;
    PixelTile tiles[2];
    TileRows rows[2];
    int ready = -1;  // the channels from which the rows are, where they have all chunks

    int tile_count() const { return count > tile_rows ? 2 : 1; }
    bool take(const Taps& taps, Pixels from, int64_t& i) {
        count = taps.take(from, i, pixels, 2 * tile_rows);
        ready = -1;
        if (count == 0) return false;
        tiles[0].take(taps, pixels, count < tile_rows ? count : tile_rows);
        if (count > tile_rows) tiles[1].take(taps, pixels + tile_rows, count - tile_rows);
        return true;
    }

    // acc: pixels 64 apart.
    template <int V>
    void multiply(const Chunks& chunks, const Block& b, const int32_t* start, int32_t* acc) {
        for (int first = 0; first < chunks.count; first += piece) {
            const int n = chunks.count - first < piece ? chunks.count - first : piece;
            if (ready != b.in_offset)
                for (int i = 0; i < tile_count(); i++) tiles[i].find(chunks, b.in_offset, first, n, rows[i]);
            if (n == chunks.count) ready = b.in_offset;
            const int8_t* weight = b.tiles->as<int8_t>() + int64_t(first) * V * 1024;
            const bool two = tile_count() > 1;
#pragma GCC unroll 2
            for (int v = 0; v < V; v += 2) {
                const auto part = [&](auto call) {
                    call(rows, weight + 1024 * v, V * 1024, n, first == 0, start + 16 * v, acc + 16 * v);
                };
                if (v + 1 < V) part(two ? multiply_tiles<2, 2> : multiply_tiles<1, 2>);
                else part(two ? multiply_tiles<2, 1> : multiply_tiles<1, 1>);
            }
        }
    }
};

template <int V>
inline void tile_block(const Conv& conv, const Chunks& chunks, TileGroup& group, const Block& b) {
    constexpr int most = 2 * tile_rows;
    alignas(64) int32_t acc[64 * most];
    alignas(64) float sums[64 * most];
    bool any = false;
    if (conv.sparse.input.begin) {
        int32_t ys[most], xs[most];
        for (int j = 0; j < group.count; j++) chunks.taps.place(group.pixels[j], ys[j], xs[j]);
        any = sparse_sums<V>(conv, b, ys, xs, group.count, sums);
    }
    if (!chunks.taps.codes.on) fetch_floats(conv.program, group.pixels, group.count, b);
    else
        for (int j = 0; j < group.count; j++) fetch_codes(chunks.taps.codes, group.pixels[j], b.first);
    group.multiply<V>(chunks, b, conv.start + b.first, acc);
    for (int i = 0; i < group.tile_count(); i++) {
        const PixelTile& tile = group.tiles[i];
        const int32_t* own = acc + 64 * tile_rows * i;
        keep_accumulators<V>(conv, own, tile.pixels, tile.count, b);
        finish_tile<V>(conv, chunks.taps, own, tile.pixels, tile.count, b, any ? sums + 64 * tile_rows * i : nullptr);
    }
}

// Weights that the second-level cache holds beside all else are gone through for every group of pixels, whose rows are
// made ready once then; others block by block.
constexpr int64_t held_weights = int64_t(768) << 10;

static void conv_tiles(const Conv& args, Pixels pixels) {
    if (args.blocks[0].tiles->bytes() == 0) return conv(args, pixels);
    const Taps taps(args);
    const Chunks chunks(taps);
    TileGroup group;
    int64_t weights = 0;
    for (int k = 0; k < args.block_count; k++) weights += int64_t(chunks.count) * args.blocks[k].vectors * 1024;
    const int together = weights <= held_weights ? args.block_count : 1;
    for (int from = 0; from < args.block_count; from += together)
        for (int64_t i = pixels.begin; i < pixels.end && group.take(taps, pixels, i);)
            for (int k = from; k < from + together; k++) {
                const Block& b = args.blocks[k];
                switch (b.vectors) {
                    case 1: tile_block<1>(args, chunks, group, b); break;
                    case 2: tile_block<2>(args, chunks, group, b); break;
                    case 3: tile_block<3>(args, chunks, group, b); break;
                    default: tile_block<4>(args, chunks, group, b);
                }
            }
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
