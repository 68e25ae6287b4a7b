// Depthwise convolutions: a conv of as many groups as channels, whose weights are symmetric.
#pragma once
#include "weights.h"

namespace vq {

// scale, bias: of the weights, by channel, padded.
std::unique_ptr<Op> make_depthwise(Memory scale, Memory bias, const Op& read, const Geometry& g, const int8_t* weight);

}  // namespace vq
