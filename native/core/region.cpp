#include "region.h"

#include <algorithm>

namespace vq {

bool Region::none() const {
    return !whole && std::none_of(blocks.begin(), blocks.end(), [](uint8_t block) { return block != 0; });
}

RegionRows::RegionRows(const Region& region, int32_t input_h, int32_t input_w, int32_t h, int32_t w)
    : region_(region), input_h_(input_h), h_(h), w_(w), before_(size_t(region.columns) + 1) {
    if (region.whole) {
        runs_ = {{0, w}};
        return;
    }
    for (int32_t x = 0; x < w; x++) windows_.push_back(blocks_of(x, input_w, w, region.columns));
}

std::pair<int32_t, int32_t> RegionRows::blocks_of(int32_t place, int32_t input, int32_t size, int32_t blocks) const {
    const int64_t first = int64_t(std::max(place - region_.grow, 0)) * input / size;
    const int64_t end = (int64_t(std::min(place + region_.grow, size - 1) + 1) * input + size - 1) / size;
    const auto block = [&](int64_t pixel) { return int32_t(std::min<int64_t>(pixel / region_.block, blocks - 1)); };
    return {block(first), block(std::max(first, end - 1))};
}

const RegionRows::Runs& RegionRows::row(int32_t y) {
    if (region_.whole) return runs_;
    const auto rows = blocks_of(y, input_h_, h_, region_.rows);
    if (rows == seen_) return runs_;
    seen_ = rows;
    runs_.clear();
    for (int32_t c = 0; c < region_.columns; c++) {
        bool any = false;
        for (int32_t r = rows.first; r <= rows.second; r++) any |= region_.blocks[size_t(r) * size_t(region_.columns) + size_t(c)] != 0;
        before_[size_t(c) + 1] = before_[size_t(c)] + any;
    }
    if (before_.back() == 0) return runs_;
    for (int32_t x = 0; x < w_; x++) {
        const auto [first, last] = windows_[size_t(x)];
        if (before_[size_t(last) + 1] == before_[size_t(first)]) continue;
        if (!runs_.empty() && runs_.back().second == x) runs_.back().second++;
        else runs_.emplace_back(x, x + 1);
    }
    return runs_;
}

void RegionLists::begin(const Region& region) {
    region_ = region;
    for (Lists* lists : {&pixels_, &left_, &tiles_, &beside_})
        for (auto& [size, list] : *lists) list.made = false;
}

void RegionLists::keep_residual_region() {
    residual_ = region_;
    for (auto& [size, list] : left_) list.made = false;
}

const std::vector<int32_t>& RegionLists::pixels(int32_t h, int32_t w) {
    List& list = pixels_[{h, w}];
    if (list.made) return list.pixels;
    list.made = true;
    list.pixels.clear();
    RegionRows rows(region_, input_h_, input_w_, h, w);
    for (int32_t y = 0; y < h; y++)
        for (const auto& [first, last] : rows.row(y)) {
            const size_t at = list.pixels.size();
            list.pixels.resize(at + size_t(last - first));
            for (int32_t x = first; x < last; x++) list.pixels[at + size_t(x - first)] = y * w + x;
        }
    return list.pixels;
}

const std::vector<int32_t>& RegionLists::left(int32_t h, int32_t w) {
    List& list = left_[{h, w}];
    if (list.made) return list.pixels;
    list.made = true;
    list.pixels.clear();
    RegionRows before(residual_, input_h_, input_w_, h, w), now(region_, input_h_, input_w_, h, w);
    for (int32_t y = 0; y < h; y++) {
        auto next = now.row(y).begin();
        const auto end = now.row(y).end();
        for (const auto& [first, last] : before.row(y))
            for (int32_t x = first; x < last; x++) {
                while (next != end && next->second <= x) ++next;
                if (next == end || x < next->first) list.pixels.push_back(y * w + x);
            }
    }
    return list.pixels;
}

const std::vector<int32_t>& RegionLists::tiles(int32_t h, int32_t w) {
    if (!tiles_[{h, w}].made) cut_tiles(h, w);
    return tiles_[{h, w}].pixels;
}

const std::vector<int32_t>& RegionLists::beside_tiles(int32_t h, int32_t w) {
    if (!tiles_[{h, w}].made) cut_tiles(h, w);
    return beside_[{h, w}].pixels;
}

void RegionLists::cut_tiles(int32_t h, int32_t w) {
    List &tiles = tiles_[{h, w}], &beside = beside_[{h, w}];
    tiles.made = beside.made = true;
    tiles.pixels.clear(), beside.pixels.clear();
    const int32_t across = (w + 1) / 2;
    std::vector<uint8_t> seen(2 * size_t(across), uint8_t(0)), count(size_t(across), uint8_t(0));  // of two rows of pixels
    RegionRows rows(region_, input_h_, input_w_, h, w);
    for (int32_t y = 0; y < h; y += 2) {
        const int32_t height = std::min(2, h - y);
        std::fill(seen.begin(), seen.end(), uint8_t(0));
        std::fill(count.begin(), count.end(), uint8_t(0));
        for (int32_t k = 0; k < height; k++)
            for (const auto& [first, last] : rows.row(y + k))
                for (int32_t x = first; x < last; x++) seen[size_t(x)] |= uint8_t(1 << k), count[size_t(x / 2)]++;
        for (int32_t x = 0; x < w; x++) {
            const int32_t whole = height * std::min(2, w - x / 2 * 2);
            if (count[size_t(x / 2)] == whole && x % 2 == 0) tiles.pixels.push_back(y / 2 * across + x / 2);
            else if (count[size_t(x / 2)] < whole)
                for (int32_t k = 0; k < height; k++)
                    if (seen[size_t(x)] >> k & 1) beside.pixels.push_back((y + k) * w + x);
        }
    }
}

size_t RegionLists::bytes() const {
    size_t bytes = 0;
    for (const Lists* lists : {&pixels_, &left_, &tiles_, &beside_})
        for (const auto& [size, list] : *lists) bytes += list.pixels.capacity() * sizeof(int32_t);
    return bytes;
}

}  // namespace vq
