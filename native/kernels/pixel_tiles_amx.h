// Pixels as AMX wants them: 16 rows of 64 bytes, at one distance from each other. Where 16 output pixels follow each other in
// a row of the map and see no edge, the input itself is such a tile; else what their taps read is copied together.
#pragma once
#include "taps.h"

namespace vq::VQ_ISA {

constexpr int tile_rows = 16;
constexpr int piece = 40;  // chunks of 64 bytes that are made ready at a time: all of a 3×3 kernel over 256 channels

// Where chunks of a tile of pixels lie: chunk c of pixel j at begin[c] + j · stride[c].
struct TileRows {
    const uint8_t* begin[piece];
    ptrdiff_t stride[piece];
};

// What the taps of an output pixel read, in chunks of 64 bytes, in the order of pack_tiles: each run of taps has whole
// ones, of which the last may reach past it, where weights are 0.
struct Chunk {
    ptrdiff_t offset;               // from the pixel that the tap (0, 0) reads
    int16_t tap, last, byte, size;  // its first tap and the first byte there, its last tap, and how many bytes it has
};
struct Chunks {
    static constexpr int most = max_taps + 32768 / 64;
    const Taps& taps;
    const int each;  // bytes of a tap
    int count = 0;
    Chunk chunks[most];

    explicit Chunks(const Taps& t) : taps(t), each(4 * t.conv.blocks[0].groups) {
        const int run = t.run * each;
        for (int tap = 0; tap < t.conv.taps; tap += t.run)
            for (int at = 0; at < run; at += 64) {
                const int size = run - at < 64 ? run - at : 64, first = tap + at / each;
                chunks[count++] = {t.conv.dy[first] * t.row + t.conv.dx[first] * t.column + at % each, int16_t(first),
                                   int16_t(tap + (at + size - 1) / each), int16_t(at % each), int16_t(size)};
            }
    }
};

// Room for what has to be copied of a tile. The distance between rows is not a power of two: those would share few sets of
// the cache.
struct Room {
    static constexpr ptrdiff_t pitch = 64 * piece + 64;
    alignas(64) uint8_t bytes[tile_rows * pitch];
    alignas(64) uint8_t zeros[64];
};

// Up to 16 pixels.
struct PixelTile {
    int count = 0;
    bool in_row = false, inside = false;  // 16 neighbours in a row; of which none sees an edge
    int32_t ys[tile_rows], xs[tile_rows];

    void take(const Taps& taps, const int32_t* from, int n) {
        count = n;
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
    void find(const Chunks& chunks, int32_t from, int first, int n, Room& room, TileRows& rows) const {
        const Taps& taps = chunks.taps;
        const Conv& conv = taps.conv;
        const uint8_t* base = conv.in.u8() + ys[0] * taps.row + xs[0] * taps.column + from;
        const ptrdiff_t stride = conv.stride_x * taps.column;
        for (int i = 0; i < n; i++) rows.begin[i] = base + chunks.chunks[first + i].offset, rows.stride[i] = stride;
        if (inside) return;
        const uint8_t* pixel[tile_rows];
        for (int j = 0; j < count; j++) pixel[j] = conv.in.u8() + ys[j] * taps.row + xs[j] * taps.column + from;
        for (int i = 0; i < n; i++) {
            const Chunk& chunk = chunks.chunks[first + i];
            const int32_t dy = conv.dy[chunk.tap], left = conv.dx[chunk.tap], right = conv.dx[chunk.last];
            if (in_row) {
                if (uint32_t(ys[0] + dy) >= uint32_t(conv.in.h)) {
                    rows.begin[i] = room.zeros, rows.stride[i] = 0;
                    continue;
                }
                if (xs[0] + left >= 0 && xs[tile_rows - 1] + right < conv.in.w) continue;
            }
            uint8_t* to = room.bytes + 64 * i;
            rows.begin[i] = to, rows.stride[i] = Room::pitch;
            for (int j = 0; j < count; j++, to += Room::pitch)
                if (uint32_t(ys[j] + dy) < uint32_t(conv.in.h) && xs[j] + left >= 0 && xs[j] + right < conv.in.w)
                    copy(to, pixel[j] + chunk.offset);
                else copy_taps(chunks, from, chunk, j, room.zeros, to);
        }
    }

private:
    // 64 bytes: what is too much is overwritten, or meets weights of 0.
    static void copy(uint8_t* to, const uint8_t* from) { _mm512_storeu_si512(to, _mm512_loadu_si512(from)); }

    // Tap by tap, since some lie outside.
    void copy_taps(const Chunks& chunks, int32_t from, const Chunk& chunk, int j, const uint8_t* zeros,
                   uint8_t* to) const {
        const Taps& taps = chunks.taps;
        int tap = chunk.tap, byte = chunk.byte;
        for (int left = chunk.size; left > 0; tap++, byte = 0) {
            const int64_t at = taps.at(ys[j], xs[j], tap);
            copy(to, at >= 0 ? taps.conv.in.u8() + at * taps.column + from + byte : zeros);
            to += chunks.each - byte;
            left -= chunks.each - byte;
        }
    }
};

}  // namespace vq::VQ_ISA
