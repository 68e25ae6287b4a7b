// Random cases of what simulation does to whole tensors.
#pragma once
#include "cases.h"

namespace vq::test {

inline Call quantize_steps_case(World& world, Random& r) {
    Steps s;
    const int count = r.between(1, 200), begin = r.between(0, count - 1), end = r.between(begin, count);
    const auto values = [&] {  // read to the last and no further
        auto& v = world.own<std::vector<float>>();
        static const float others[] = {INFINITY, -INFINITY, 3.4028235e38f, 1e-45f, -1e-45f};
        for (int i = 0; i < count; i++) v.push_back(r.chance(95) ? r.value() : r.pick(others));
        return v.data();
    };
    s.value = values();
    s.scale = r.chance(30) ? 0.5f : r.uniform(0.01f, 1), s.inverse = 1 / s.scale;
    s.first = float(r.between(-255, 0)), s.last = s.first + float(r.between(1, 255));
    s.steps = world.array<float>("steps", count);
    if (r.chance(50)) s.reference = world.floats("reference", count, r);
    if (r.chance(50)) s.next = world.array<float>("next", count);
    auto* finite = world.array<uint8_t>("finite", 1);
    world.shape = " of " + std::to_string(begin) + " to " + std::to_string(end);
    return [=](const Kernels& kernels) { *finite = kernels.quantize_steps(s, begin, end); };
}

inline Call scale_sums_case(World& world, Random& r) {
    LayerSums l;
    l.by_row = r.chance(50);
    l.channels = r.channels();
    l.columns = l.by_row ? r.between(1, 70) : l.channels;
    const int64_t rows = l.by_row ? l.channels * r.between(1, 2) : r.between(1, 9);
    l.sums = world.floats("sums", rows * l.columns, r);
    l.scale = world.per_channel("scale", int32_t(l.channels), r);
    if (r.chance(50)) l.bias = world.per_channel("bias", int32_t(l.channels), r);
    else if (r.chance(70)) l.before = world.floats("before", rows * l.columns, r);
    const int64_t begin = r.between(0, int(rows) - 1), end = r.between(int(begin), int(rows));
    world.shape = " of " + std::to_string(rows) + "×" + std::to_string(l.columns);
    return [=](const Kernels& kernels) { kernels.scale_sums(l, begin, end); };
}

}  // namespace vq::test
