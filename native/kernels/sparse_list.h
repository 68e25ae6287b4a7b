// Staged elements of Dense + Sparse become a list, up to 8 of a pixel at a time, any instruction set.
#pragma once
#include "isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

static_assert(copied_at_once >= few_elements, "those that lie close together are copied at once");

static void copy_sparse(const SparseCopy& a, int64_t first, int64_t last) {
    uint32_t column = uint32_t(first % a.w);
    for (int64_t p = first; p < last; p++) {
        SparseElement* to = a.elements + a.begin[p];
        const int n = a.begin[p + 1] - a.begin[p];
        copy_elements(a.staged.few + p * few_elements, n < few_elements ? n : few_elements, column, uint32_t(a.c - 1),
                      to);
        for (int k = few_elements; k < n; k += copied_at_once)
            copy_elements(a.staged.more + p * a.c + k, n - k, column, uint32_t(a.c - 1), to + k);
        if (++column == uint32_t(a.w)) column = 0;
    }
}

}  // namespace vq::VQ_ISA
