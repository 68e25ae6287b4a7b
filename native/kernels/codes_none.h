// Codes, for the instruction sets without a quick way to them: the general program (program.h) does.
#pragma once
#include "isa.h"

namespace vq::VQ_ISA {

struct Codes {
    static constexpr bool on = false;
    explicit Codes(const Program&) {}
};

inline void fetch_codes(const Codes&, int64_t, int) {}

template <int V>
inline void store_tile(const Codes&, const int32_t*, const float*, const int32_t*, int, const Conv&, const Block&) {}

template <class Through>
inline bool store_tile_codes(const Step&, const float*, const int32_t*, int, int, int, const Through&) {
    return false;
}

}  // namespace vq::VQ_ISA
