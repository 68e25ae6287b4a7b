// The sparse parts of a session's tensors: gathered from where programs left them, pixel by pixel, into one list each.
#pragma once
#include <vector>

#include "memory.h"
#include "types.h"

namespace vq {

// A list never refers past its tensor, whatever lies in the staged memory, which is shared with other tensors and may
// hold something else when operators are run out of order.
class SparseList {
public:
    SparseList() = default;
    SparseList(int32_t w, int32_t c, int64_t pixels);

    // Lays the list out for the staged counts; then `copy` fills it, any pixels at a time.
    void count(const Staged& staged);
    void copy(const Staged& staged, int64_t begin, int64_t end);

    Sparse view() const { return {begin_.as<int32_t>(), columns_.as<uint16_t>(), channels_.as<uint16_t>(), values_.as<float>()}; }
    int64_t size() const { return begin_ ? begin_.as<int32_t>()[pixels_] : 0; }
    size_t bytes() const { return begin_.bytes() + columns_.bytes() + channels_.bytes() + values_.bytes(); }

private:
    int32_t w_ = 1, c_ = 0;
    int64_t pixels_ = 0, capacity_ = 0;
    Memory begin_, columns_, channels_, values_;
};

// Where a sparse slot's parts lie in its memory: values, counts, channel numbers.
inline Staged staged_in(void* memory, int64_t pixels, int32_t c) {
    float* values = static_cast<float*>(memory);
    int32_t* counts = reinterpret_cast<int32_t*>(values + pixels * c);
    return {counts, reinterpret_cast<uint16_t*>(counts + pixels), values};
}

}  // namespace vq
