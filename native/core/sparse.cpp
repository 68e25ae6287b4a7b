#include "sparse.h"

#include <algorithm>

namespace vq {

SparseList::SparseList(int32_t w, int32_t c, int64_t pixels)
    : w_(w), c_(c), pixels_(pixels), begin_(Memory::of<int32_t>(size_t(pixels) + 1)), elements_(0) {}

SparseCopy SparseList::count(const Staged& staged) {
    int32_t* begin = begin_.as<int32_t>();
    int32_t total = 0;
    for (int64_t p = 0; p < pixels_; p++) {
        begin[p] = total;
        total += std::min(c_, int32_t(staged.counts[p]));
    }
    begin[pixels_] = total;
    if (total > capacity_) {
        const int64_t wanted = std::min(pixels_ * c_, int64_t(total) * 3 / 2);
        elements_ = Memory::of<SparseElement>(size_t(wanted));
        capacity_ = wanted;
    }
    return {staged, w_, c_, begin, elements_.as<SparseElement>()};
}

}  // namespace vq
