// Random cases of following changes, and of the features that ranges are predicted from.
#pragma once
#include "cases.h"

namespace vq::test {

// The network's input: at most 4 channels, one step; its memory is the caller's and ends with its last value.
inline Call quantize_input_case(World& world, Random& r) {
    Map a;
    auto& input = world.own<std::vector<float>>();
    a.in = {nullptr, r.between(1, 9), r.between(1, 9), r.between(1, 4), 0};
    a.in.stride = a.in.c;
    for (int64_t i = 0; i < a.in.pixels() * a.in.c; i++) input.push_back(r.value());
    a.in.data = input.data();
    a.out = a.in;
    auto& step = world.own<Step>(step_of(world, Do::store_codes, a.out, r));
    step.sparse = false, step.staged = Staged();
    for (int64_t p = 0; p < a.out.pixels(); p++)  // kernels may write the padding, but only zeros
        for (int64_t c = a.out.c; c < step.out.stride; c++) step.out.u8()[p * step.out.stride + c] = 0;
    a.program = {&step, 1, a.out.c};
    world.shape += size("in", a.in);
    const Pixels pixels = random_pixels(world, a.out, r);
    return [a, pixels](const Kernels& kernels) { kernels.quantize_input(a, pixels); };
}

inline Call finite_case(World& world, Random& r) {
    const int count = r.between(1, 200);
    auto& values = world.own<std::vector<float>>();  // read to the last and no further
    for (int i = 0; i < count; i++) values.push_back(r.value());
    static const float others[] = {NAN, -NAN, INFINITY, -INFINITY, 3.4028235e38f, 1e-45f};
    if (r.chance(70)) values[size_t(r.between(0, count - 1))] = r.pick(others);
    auto* answer = world.array<uint8_t>("answer", 1);
    world.shape = " of " + std::to_string(count);
    return [=, &values](const Kernels& kernels) { *answer = kernels.finite(values.data(), count); };
}

inline Call window_map_case(World& world, Random& r) {
    WindowMap m;
    m.in_h = r.between(1, 9), m.in_w = r.chance(90) ? r.between(1, 70) : r.between(500, 1300);
    m.out_last = r.between(1, 9);
    m.out_first = r.between(0, m.out_last);
    m.stride_y = r.between(1, 3), m.stride_x = r.between(1, 3);
    m.out_w = r.between(1, (m.in_w + m.stride_x - 1) / m.stride_x);
    auto* in = world.array<uint16_t>("map", int64_t(m.in_h) * m.in_w);
    for (int64_t i = 0; i < int64_t(m.in_h) * m.in_w; i++)
        in[i] = uint16_t(r.chance(50) ? 0 : r.chance(80) ? r.between(1, 99) : r.between(0, 0xFFFF));
    m.in = in;
    m.out = world.array<uint16_t>("windows", int64_t(m.out_last) * m.out_w);
    auto &rows = world.own<std::vector<int32_t>>(), &columns = world.own<std::vector<int32_t>>();
    for (int i = r.between(1, 4); i > 0; i--) rows.push_back(r.between(-4, 4));
    for (int i = r.between(1, 4); i > 0; i--) columns.push_back(r.between(-4, 4));
    m.rows = rows.data(), m.row_count = int32_t(rows.size());
    m.columns = columns.data(), m.column_count = int32_t(columns.size());
    m.margin = 4 + m.stride_x;
    m.scratch = world.own(Memory::of<uint16_t>(size_t(m.in_w + 2 * m.margin))).as<uint16_t>();
    world.shape = " in " + std::to_string(m.in_h) + "×" + std::to_string(m.in_w);
    return [m](const Kernels& kernels) { kernels.window_map(m); };
}

inline Call split_case(World& world, Random& r) {
    const int count = r.between(1, 200), begin = r.between(0, count - 1), end = r.between(begin, count);
    auto* map = world.array<uint16_t>("map", count);
    const int still = r.chance(50) ? 60 : 98;  // per cent: long runs of them are left out at once
    for (int i = 0; i < count; i++)
        map[i] = uint16_t(r.chance(still) ? 0 : r.chance(80) ? r.between(1, 30) : r.between(0, 0xFFFF));
    const uint16_t limit = uint16_t(r.between(1, 40));
    auto &low = world.own(Memory::of<int32_t>(size_t(count) + 16)),
         &high = world.own(Memory::of<int32_t>(size_t(count) + 16));
    auto* found = world.array<int32_t>("low and high", 2 * count);
    auto* counts = world.array<int64_t>("counts and total", 3);
    world.shape = " pixels " + std::to_string(begin) + " to " + std::to_string(end);
    return [=, &low, &high](const Kernels& kernels) {
        auto *lows = low.as<int32_t>(), *highs = high.as<int32_t>();
        kernels.split(map, begin, end, limit, lows, counts[0], highs, counts[1], counts[2]);
        std::memcpy(found, lows, size_t(counts[0]) * 4);
        std::memcpy(found + count, highs, size_t(counts[1]) * 4);
    };
}

// Read to the last value and no further.
inline std::vector<float>& values_of(World& world, Random& r) {
    auto& values = world.own<std::vector<float>>();
    for (int i = r.between(1, 300); i > 0; i--) values.push_back(r.value());
    world.shape = " of " + std::to_string(values.size());
    return values;
}

inline Call lane_sums_case(World& world, Random& r) {
    const std::vector<float>& values = values_of(world, r);
    const double from = r.chance(50) ? 0.0 : r.value() / 3.0;
    const bool squares = r.chance(50);
    auto* lanes = world.array<double>("lanes", feature_lanes);
    return [=, &values](const Kernels& kernels) {
        kernels.lane_sums(values.data(), int64_t(values.size()), from, squares, lanes);
    };
}

inline Call key_ends_case(World& world, Random& r) {
    std::vector<float>& values = values_of(world, r);
    if (r.chance(30)) values[size_t(r.between(0, int(values.size()) - 1))] = r.chance(50) ? NAN : -INFINITY;
    if (r.chance(30)) std::fill(values.begin(), values.begin() + r.between(0, int(values.size())), values.back());
    auto* ends = world.array<int32_t>("ends", 3);
    auto* counts = world.array<int64_t>("counts", 2);
    return [=, &values](const Kernels& kernels) {
        kernels.key_ends(values.data(), int64_t(values.size()), ends, counts);
    };
}

inline Call key_bins_case(World& world, Random& r) {
    std::vector<float>& values = values_of(world, r);
    if (r.chance(30)) values[size_t(r.between(0, int(values.size()) - 1))] = r.chance(50) ? NAN : -INFINITY;
    int32_t low = INT32_MAX;
    for (const float value : values) low = std::min(low, order_key(value));
    if (r.chance(50)) low = std::max(low, order_key(values.front()));
    const int32_t shift = r.between(16, 31);
    auto* bins = world.array<uint16_t>("bins", int64_t(values.size()));
    return [=, &values](const Kernels& kernels) {
        kernels.key_bins(values.data(), int64_t(values.size()), low, shift, bins);
    };
}

inline Call order_case(World& world, Random& r) {
    std::vector<float>& values = values_of(world, r);
    values.resize(std::min(values.size(), size_t(most_ordered)));
    if (r.chance(30)) values[size_t(r.between(0, int(values.size()) - 1))] = r.chance(50) ? NAN : -INFINITY;
    auto& ordered = world.own(std::vector<float>(values.size()));
    auto* bits = world.array<uint32_t>("ordered", int64_t(values.size()));
    return [=, &values, &ordered](const Kernels& kernels) {
        kernels.order(values.data(), int32_t(values.size()), ordered.data());
        std::memcpy(bits, ordered.data(), values.size() * 4);
    };
}

}  // namespace vq::test
