// Random cases of the kernels of the gate at the input.
#pragma once
#include <string>
#include <vector>

#include "world.h"

namespace vq::test {

inline Call cell_sums_case(World& world, Random& r) {
    const int channels = r.chance(60) ? 3 : r.between(1, 5), cells = r.between(1, 70);
    const int64_t count = int64_t(cells) * gate_cell * channels;
    auto& pixels = world.own<std::vector<uint8_t>>();
    const bool bright = r.chance(20);  // all sums at once as large as they get
    for (int64_t i = 0; i < gate_cell * count; i++) pixels.push_back(uint8_t(bright ? 255 : r.between(0, 255)));
    auto* sums = world.array<uint16_t>("sums", int64_t(cells) * channels);
    auto* scratch = world.own(Memory::of<uint16_t>(size_t(count) + size_t(3 * channels))).as<uint16_t>();
    world.shape = " of " + std::to_string(cells) + " cells × " + std::to_string(channels);
    return [=, &pixels](const Kernels& kernels) {
        const uint8_t* rows[gate_cell];
        for (int k = 0; k < gate_cell; k++) rows[k] = pixels.data() + k * count;
        kernels.cell_sums(rows, cells, channels, sums, scratch);
    };
}

inline Call cell_changes_case(World& world, Random& r) {
    const int channels = r.chance(60) ? 3 : r.between(1, 5), cells = r.between(1, 70), count = cells * channels;
    std::vector<uint16_t>* sums[3];
    const int most = r.chance(50) ? 4080 : 100;
    for (auto& of : sums) {
        of = &world.own<std::vector<uint16_t>>();
        for (int i = 0; i < count; i++) of->push_back(uint16_t(r.chance(20) ? 0 : r.between(0, most)));
    }
    auto* largest = world.array<uint16_t>("largest", cells);
    auto* change = world.array<int16_t>("change", count);
    auto* moved = world.array<uint16_t>("moved", count);
    for (int i = 0; i < count; i++) change[i] = int16_t(r.between(-12240, 12240)), moved[i] = uint16_t(r.between(0, 12240));
    world.shape = " of " + std::to_string(cells) + " cells × " + std::to_string(channels);
    return [=](const Kernels& kernels) {
        kernels.cell_changes({sums[0]->data(), sums[1]->data(), sums[2]->data(), cells, channels}, largest, change, moved);
    };
}

}  // namespace vq::test
