// `track_bytes` and `track_run` in plain C++, for the instruction sets that have no better.
#pragma once
#include "../kernels/isa.h"
#include VQ_VECTORS

namespace vq::VQ_ISA {

// The first n codes of one pixel meet what a stream holds: those that moved are taken over, `delta`
// becomes the changes (0 elsewhere). Returns how many groups of 4 changed; `over` where a change leaves int8.
inline int track_bytes(uint8_t* held, int8_t* delta, I32 codes, int n, bool& over) {
    int32_t code[lanes];
    codes.store(code);
    int groups = 0;
    for (int first = 0; first < n; first += 4) {
        bool any = false;
        for (int i = first; i < n && i < first + 4; i++) {
            const int change = code[i] - held[i], size = change < 0 ? -change : change;
            const bool moved = size > 0;
            over |= moved && size > 127;
            any |= moved;
            delta[i] = moved ? int8_t(change) : int8_t(0);
            if (moved) held[i] = uint8_t(code[i]);
        }
        groups += any;
    }
    return groups;
}

// The codes of pixels that lie one after the other, whole groups of 4 channels each; `moved` gets their counts.
inline void track_run(uint8_t* held, int8_t* delta, uint16_t* moved, const uint8_t* codes, int pixels, int channels) {
    for (int p = 0; p < pixels; p++) {
        int groups = 0;
        bool over = false;
        for (int first = p * channels; first < (p + 1) * channels; first += 4) {
            bool any = false;
            for (int i = first; i < first + 4; i++) {
                const int change = codes[i] - held[i], size = change < 0 ? -change : change;
                const bool takes = size > 0;
                over |= takes && size > 127;
                any |= takes;
                delta[i] = takes ? int8_t(change) : int8_t(0);
                if (takes) held[i] = codes[i];
            }
            groups += any;
        }
        moved[p] = uint16_t(groups | (over ? wide : 0));
    }
}

// Bit g: whether any of the 4 changes of group g is not 0; up to 16 groups.
inline uint32_t changed_groups(const int8_t* delta, int groups) {
    uint32_t mask = 0;
    for (int g = 0; g < groups; g++) {
        int32_t four;
        __builtin_memcpy(&four, delta + 4 * g, 4);
        mask |= uint32_t(four != 0) << g;
    }
    return mask;
}

}  // namespace vq::VQ_ISA
