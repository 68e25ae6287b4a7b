// The sums of the sparse part, for the instruction sets that have no better way than tap by tap.
#pragma once

namespace vq::VQ_ISA {

struct SparseWindow {
    explicit SparseWindow(const Conv&) {}
};

template <int V>
inline bool sparse_sums(const Conv& conv, const SparseWindow&, const Block& b, const int32_t* y, const int32_t* x,
                        int m, float* sums) {
    return sums_by_tap<V>(conv, b, y, x, m, sums);
}

}  // namespace
