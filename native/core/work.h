// What an operator took of the last frame.
#pragma once
#include <cstdint>

namespace vq {

// How a stream that does not compute all of every frame ran one operator: all of it, some pixels in full, or changed
// groups of channels on top of the last frame's accumulators.
enum class Path : uint8_t { dense, sparse, residual };

// share: of a full frame's work.
struct Work {
    int64_t macs = 0;
    Path path = Path::dense;
    double share = 1;
};

}  // namespace vq
