// What all convolutions share: their attributes, read and checked; the taps of their parts; and, with Dense + Sparse, the
// weights for the sparse part of their input.
#pragma once
#include "window.h"

namespace vq {

// Weights for the sparse part: see SparseTaps. Taps come by rows and columns, as the elements do.
struct SparseWeights {
    std::vector<int32_t> dy, dx;
    Memory weight;
    int64_t row = 0;
};

// A convolution as its attributes say, before its weights are packed.
struct Geometry {
    // Reads the attributes, and checks that output, weights and groups fit; fills in op's MACs.
    Geometry(const OpReader& reader, Op& op, bool transposed);
    // The taps of each part: one part for a convolution, one for each phase of a transposed one. numbers: of the taps in
    // the kernel, by part.
    std::vector<Taps> parts(const Op& op, std::vector<std::vector<int32_t>>& numbers) const;
    int32_t phase_rows(const OpHead& op) const { return transposed ? std::min(stride[0], op.h) : 1; }
    int32_t phase_columns(const OpHead& op) const { return transposed ? std::min(stride[1], op.w) : 1; }
    // The bytes that packed weights take: so many for one weight, with some for every input and output channel.
    double packed_bytes(const OpHead& op, double more_in, double more_out, double each) const;

    bool transposed;
    std::vector<int32_t> kernel, stride, dilation, padding;
    int32_t groups = 1, channels = 0;  // channels: of the input
    int32_t count = 0;                 // taps of the kernel
    int64_t weights = 0;
};

SparseWeights sparse_weights(const OpHead& op, const Geometry& g, const Taps& taps, const std::vector<int32_t>& numbers,
                             const int8_t* weight, int32_t zero);
// For the kernels; no taps where there is no sparse part. list: what its elements are now.
SparseTaps sparse_taps(const OpHead& op, const SparseWeights& weights, int32_t in_channels, int32_t groups,
                       const float* scale);

}  // namespace vq
