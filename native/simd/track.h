// `track_bytes` in plain C++, for the instruction sets that have no better.
#pragma once

namespace vq::VQ_ISA {

// The first n codes of one pixel meet what a stream holds: those that moved by more than tau are taken over,
// `delta` becomes the changes (0 elsewhere). Returns how many groups of 4 changed; `over` where a change leaves int8.
inline int track_bytes(uint8_t* held, int8_t* delta, I32 codes, int n, int tau, bool& over) {
    int32_t code[lanes];
    codes.store(code);
    int groups = 0;
    for (int first = 0; first < n; first += 4) {
        bool any = false;
        for (int i = first; i < n && i < first + 4; i++) {
            const int change = code[i] - held[i], size = change < 0 ? -change : change;
            const bool moved = size > tau;
            over |= moved && size > 127;
            any |= moved;
            delta[i] = moved ? int8_t(change) : int8_t(0);
            if (moved) held[i] = uint8_t(code[i]);
        }
        groups += any;
    }
    return groups;
}

}  // namespace
