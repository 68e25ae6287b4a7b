// Weights in the order in which kernels read them.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "kernels.h"
#include "memory.h"

namespace vq {

// Weights in the order of some kernels only: made when the first session that wants them begins, shared by all.
struct Extra {
    std::once_flag once;
    std::vector<Memory> weights;
};

// The int8 weights of a convolution, or of one phase of a transposed one.
struct ConvWeights {
    int32_t taps = 0;
    std::vector<Block> blocks;
    std::vector<Memory> weights;                                  // by block
    std::unique_ptr<Extra> pairs = std::make_unique<Extra>();     // by block: `Block::pairs`
    std::unique_ptr<Extra> tiles = std::make_unique<Extra>();     // by block: `Block::tiles`
    std::unique_ptr<Extra> winograd = std::make_unique<Extra>();  // one piece: `Conv::winograd`
    Memory sums;                                                  // Σ of weights by output channel, padded
};

// Packs weights (C_out × C_in/groups × taps of the kernel), those of the given taps.
ConvWeights pack_conv(const int8_t* weight, int32_t c_out, int32_t c_in, int32_t groups, int32_t kernel,
                      const std::vector<int32_t>& taps);
// Fills `pairs`, once, from the blocks.
void pack_pairs(const ConvWeights& weights);
// Fills `tiles`, once, where they pay for a convolution whose taps read runs of so many (run_of_taps).
void pack_tiles(const ConvWeights& weights, int32_t run);
// Fills `winograd`, once; returns what is there.
const int16_t* pack_winograd(const ConvWeights& weights);

// The int8 weights of a depthwise convolution.
struct DepthwiseWeights {
    Memory flat;         // [tap][channel]
    Memory interleaved;  // [tap / 4][channel][4]
    Memory sums;         // Σ of weights by channel, padded
};
DepthwiseWeights pack_depthwise(const int8_t* weight, int32_t channels, int32_t kernel);

}  // namespace vq
