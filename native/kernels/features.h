// What features of a value are made of, float32, any instruction set: sums in 64 lanes of float64, the values between
// two others, and sorting few.
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

static void between(const float* values, int64_t count, int32_t low, int32_t high, float* found, int64_t& found_count,
                    int64_t& below) {
    int64_t inside = 0, less = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t key = order_key(values[i]);
        found[inside] = values[i];
        inside += (key >= low) & (key <= high);
        less += key < low;
    }
    found_count = inside, below = less;
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
