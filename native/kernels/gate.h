// What the gate at the input sees: sums of cells of 4 × 4 pixels, and how far they moved. Loops over numbers of 16 bits
// that lie side by side, which any compiler turns into whole vectors.
#pragma once
#include "isa.h"

namespace vq::VQ_ISA {

static void cell_sums(const uint8_t* const* rows, int64_t cells, int32_t channels, uint16_t* sums, uint16_t* scratch) {
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    const int64_t count = cells * gate_cell * channels;
    for (int64_t i = 0; i < count; i++) scratch[i] = uint16_t(a[i] + b[i] + c[i] + d[i]);
    // One pixel and the next, then those two and the next two; what has no next is not picked.
    for (int64_t i = 0; i < count; i++) scratch[i] = uint16_t(scratch[i] + scratch[i + channels]);
    for (int64_t i = 0; i < count; i++) scratch[i] = uint16_t(scratch[i] + scratch[i + 2 * channels]);
    if (channels == 3)
        for (int64_t i = 0; i < cells; i++)
            for (int k = 0; k < 3; k++) sums[3 * i + k] = scratch[12 * i + k];
    else
        for (int64_t i = 0; i < cells; i++)
            for (int32_t k = 0; k < channels; k++) sums[channels * i + k] = scratch[gate_cell * channels * i + k];
}

static void cell_changes(const CellRow& row, uint16_t* largest, int16_t* change, uint16_t* moved) {
    const uint16_t *sums = row.sums, *held = row.held, *before = row.before;
    const int64_t count = row.cells * row.channels;
    const auto distance = [](int a, int b) { return uint16_t(a > b ? a - b : b - a); };
    for (int64_t i = 0; i < count; i++) {
        change[i] = int16_t(change[i] + sums[i] - held[i]);
        moved[i] = uint16_t(moved[i] + distance(sums[i], before[i]));
    }
    const auto most = [](uint16_t a, uint16_t b) { return a > b ? a : b; };
    if (row.channels == 3) {
        for (int64_t i = 0; i < row.cells; i++) {
            const uint16_t *s = sums + 3 * i, *h = held + 3 * i;
            largest[i] = most(most(distance(s[0], h[0]), distance(s[1], h[1])), distance(s[2], h[2]));
        }
        return;
    }
    for (int64_t i = 0; i < row.cells; i++) {
        uint16_t found = 0;
        for (int32_t k = 0; k < row.channels; k++)
            found = most(found, distance(sums[row.channels * i + k], held[row.channels * i + k]));
        largest[i] = found;
    }
}

}  // namespace vq::VQ_ISA
