#include "sparse.h"

#include <algorithm>

namespace vq {

SparseList::SparseList(int32_t w, int32_t c, int64_t pixels)
    : w_(w), c_(c), pixels_(pixels), begin_(Memory::of<int32_t>(size_t(pixels) + 1)) {}

void SparseList::count(const Staged& staged) {
    int32_t* begin = begin_.as<int32_t>();
    int32_t total = 0;
    for (int64_t p = 0; p < pixels_; p++) {
        begin[p] = total;
        total += std::min(c_, std::max(0, staged.counts[p]));
    }
    begin[pixels_] = total;
    if (total <= capacity_) return;
    capacity_ = std::min(pixels_ * c_, int64_t(total) * 3 / 2);
    columns_ = Memory::of<uint16_t>(size_t(capacity_));
    channels_ = Memory::of<uint16_t>(size_t(capacity_));
    values_ = Memory::of<float>(size_t(capacity_));
}

void SparseList::copy(const Staged& staged, int64_t first, int64_t last) {
    const int32_t* begin = begin_.as<int32_t>();
    uint16_t *columns = columns_.as<uint16_t>(), *channels = channels_.as<uint16_t>();
    float* values = values_.as<float>();
    int32_t column = int32_t(first % w_);
    for (int64_t p = first; p < last; p++) {
        const float* value = staged.values + p * c_ - begin[p];
        const uint16_t* channel = staged.channels + p * c_ - begin[p];
        for (int32_t e = begin[p]; e < begin[p + 1]; e++) {
            columns[e] = uint16_t(column);
            channels[e] = std::min(channel[e], uint16_t(c_ - 1));
            values[e] = value[e];
        }
        if (++column == w_) column = 0;
    }
}

}  // namespace vq
