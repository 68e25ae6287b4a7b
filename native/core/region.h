// The part of a frame that is computed anew, and what that is in maps of any size: lists of their pixels.
#pragma once
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "types.h"

namespace vq {

// Blocks of the network's input. All else keeps the values that it had.
struct Region {
    std::vector<uint8_t> blocks;  // by rows: whether a block is computed anew
    int32_t rows = 0, columns = 0;
    int32_t block = 16;  // input pixels along a side
    int32_t grow = 0;    // pixels that the region grows by in every map
    bool whole = true;   // all of the frame
    bool moving = false;  // so are the frames around it: nothing is held for it, nor of it for later ones
    bool none() const;
};

// The pixels of a map that a region computes: (y, x) where a block meets the input rows ⌊(y − grow) · H/h⌋ to
// ⌈(y + 1 + grow) · H/h⌉ − 1 and columns likewise. Rows come as runs of columns, first and one behind the last.
class RegionRows {
public:
    using Runs = std::vector<std::pair<int32_t, int32_t>>;
    // input_h, input_w: the network's input's.
    RegionRows(const Region& region, int32_t input_h, int32_t input_w, int32_t h, int32_t w);
    // Of row y; until the next call.
    const Runs& row(int32_t y);

private:
    std::pair<int32_t, int32_t> blocks_of(int32_t place, int32_t input, int32_t size, int32_t blocks) const;

    const Region& region_;
    const int32_t input_h_, h_, w_;
    std::vector<std::pair<int32_t, int32_t>> windows_;  // by column: first and last column of blocks that it meets
    std::vector<int32_t> before_;                       // new blocks before each column, in the rows of blocks that
    std::pair<int32_t, int32_t> seen_{-1, -1};          // … these are, first and last
    Runs runs_;
};

// The lists of one frame, each made when it is first asked for.
class RegionLists {
public:
    RegionLists(int32_t input_h, int32_t input_w) : input_h_(input_h), input_w_(input_w) {}

    void begin(const Region& region);
    const Region& region() const { return region_; }
    // From now on the region that residuals were last stored in is this frame's.
    void keep_residual_region();
    // All of every map may hold residuals.
    void forget_residual_region() { residual_ = Region(); }

    // The new pixels of a map, in order.
    const std::vector<int32_t>& pixels(int32_t h, int32_t w);
    // Those that residuals were last stored in and that are not new.
    const std::vector<int32_t>& left(int32_t h, int32_t w);
    // The tiles of 2 × 2 pixels that are new as a whole, numbered by rows, and the new pixels outside of them.
    const std::vector<int32_t>& tiles(int32_t h, int32_t w);
    const std::vector<int32_t>& beside_tiles(int32_t h, int32_t w);
    size_t bytes() const;

private:
    void cut_tiles(int32_t h, int32_t w);

    struct List {
        bool made = false;
        std::vector<int32_t> pixels;
    };
    using Lists = std::map<std::pair<int32_t, int32_t>, List>;

    const int32_t input_h_, input_w_;
    Region region_, residual_;
    Lists pixels_, left_, tiles_, beside_;
};

}  // namespace vq
