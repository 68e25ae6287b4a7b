// The sparse parts of a session's tensors: gathered from where programs left them, pixel by pixel, into one list each.
#pragma once
#include "kernels.h"
#include "memory.h"

namespace vq {

// A list never refers past its tensor, whatever lies in the staged memory, which is shared with other tensors and may
// hold something else when operators are run out of order.
class SparseList {
public:
    SparseList() = default;
    SparseList(int32_t w, int32_t c, int64_t pixels);

    // Lays the list out for the staged counts, and says how to fill it.
    SparseCopy count(const Staged& staged);

    Sparse view() const { return {begin_.as<int32_t>(), elements_.as<SparseElement>()}; }
    int64_t size() const { return begin_ ? begin_.as<int32_t>()[pixels_] : 0; }
    size_t bytes() const { return begin_.bytes() + elements_.bytes(); }

private:
    int32_t w_ = 1, c_ = 0;
    int64_t pixels_ = 0, capacity_ = 0;
    Memory begin_, elements_;
};

// Where a sparse slot's parts lie in its memory.
inline Staged staged_in(void* memory, int64_t pixels, int32_t c) {
    uint32_t *few = static_cast<uint32_t*>(memory), *more = few + pixels * few_elements;
    return {reinterpret_cast<uint16_t*>(more + pixels * c), few, more};
}

}  // namespace vq
