// What features are made of, one value at a time.
#pragma once

namespace vq::reference {

static void lane_sums(const float* values, int64_t count, double from, bool squares, double* lanes) {
    for (int lane = 0; lane < feature_lanes; lane++) lanes[lane] = 0;
    for (int64_t i = 0; i < count; i++) {
        const double distance = double(values[i]) - from;
        lanes[i % feature_lanes] += squares ? distance * distance : distance;
    }
}

static void between(const float* values, int64_t count, int32_t low, int32_t high, float* found, int64_t& found_count,
                    int64_t& below) {
    found_count = below = 0;
    for (int64_t i = 0; i < count; i++) {
        if (order_key(values[i]) < low) below++;
        else if (order_key(values[i]) <= high) found[found_count++] = values[i];
    }
}

static void order(const float* values, int32_t count, float* ordered) {
    for (int32_t i = 0; i < count; i++) {
        int32_t at = i;
        for (; at > 0 && order_key(ordered[at - 1]) > order_key(values[i]); at--) ordered[at] = ordered[at - 1];
        ordered[at] = values[i];
    }
}

}  // namespace vq::reference
