// What features of a value are made of, float32, any instruction set: sums in 64 lanes of float64, in which
// of equal parts of their range values lie, and sorting few.
#pragma once
#include "isa.h"

namespace vq::VQ_ISA {

static void lane_sums(const float* values, int64_t count, double from, bool squares, double* lanes) {
    double sums[feature_lanes] = {};
    for (int64_t i = 0; i < count; i += feature_lanes) {
        const int64_t here = count - i < feature_lanes ? count - i : feature_lanes;
        const auto add = [&](int64_t lane) {
            const double distance = double(values[i + lane]) - from;
            sums[lane] += squares ? distance * distance : distance;
        };
        if (here == feature_lanes)
            for (int64_t lane = 0; lane < feature_lanes; lane++) add(lane);
        else
            for (int64_t lane = 0; lane < here; lane++) add(lane);
    }
    for (int lane = 0; lane < feature_lanes; lane++) lanes[lane] = sums[lane];
}

static void key_ends(const float* values, int64_t count, int32_t* ends, int64_t* counts) {
    int32_t least = INT32_MAX, largest = INT32_MIN;
    for (int64_t i = 0; i < count; i++) {
        const int32_t key = order_key(values[i]);
        least = key < least ? key : least;
        largest = key > largest ? key : largest;
    }
    uint32_t next = UINT32_MAX;  // from the one above the least, to which the least itself is the furthest
    for (int64_t i = 0; i < count; i++) {
        const uint32_t above = uint32_t(order_key(values[i])) - uint32_t(least) - 1;
        next = above < next ? above : next;
    }
    int64_t all_least = 0, all_largest = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t key = order_key(values[i]);
        all_least += key == least;
        all_largest += key == largest;
    }
    ends[0] = least, ends[1] = least == largest ? INT32_MAX : int32_t(uint32_t(least) + next + 1), ends[2] = largest;
    counts[0] = all_least, counts[1] = all_largest;
}

static void key_bins(const float* values, int64_t count, int32_t low, int32_t shift, uint16_t* bins) {
    for (int64_t i = 0; i < count; i++) {
        const int32_t key = order_key(values[i]);
        bins[i] = uint16_t((uint32_t(key < low ? low : key) - uint32_t(low)) >> shift);
    }
}

// By counting: it takes the same steps whatever the values are, where sorting would guess every other one wrong.
static void order(const float* values, int32_t count, float* ordered) {
    int32_t keys[most_ordered];
    for (int32_t i = 0; i < count; i++) keys[i] = order_key(values[i]);
    for (int32_t i = 0; i < count; i++) {
        int32_t place = 0;
        for (int32_t j = 0; j < i; j++) place += keys[j] <= keys[i];
        for (int32_t j = i + 1; j < count; j++) place += keys[j] < keys[i];
        ordered[place] = values[i];
    }
}

}  // namespace vq::VQ_ISA
