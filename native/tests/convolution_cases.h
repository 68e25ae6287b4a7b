// Random cases of the convolutions: shapes, tails, strides, paddings, phases, groups.
#pragma once
#include "cases.h"

namespace vq::test {

// The taps of a kernel: as a convolution, or one phase of a transposed one.
template <class Args>
void random_taps(World& world, Args& a, Random& r) {
    const int kh = r.between(1, 4), kw = r.between(1, 4), dilation = r.between(1, 2);
    const int top = r.between(0, kh), left = r.between(0, kw);
    auto &dy = world.own<std::vector<int32_t>>(), &dx = world.own<std::vector<int32_t>>();
    for (int y = 0; y < kh; y++)
        for (int x = 0; x < kw; x++) dy.push_back(y * dilation - top), dx.push_back(x * dilation - left);
    a.taps = kh * kw;
    a.dy = dy.data(), a.dx = dx.data();
    a.stride_y = r.between(1, 2), a.stride_x = r.between(1, 2);
    world.shape += " kernel " + std::to_string(kh) + "×" + std::to_string(kw) + " dilation " +
                   std::to_string(dilation) + " stride " + std::to_string(a.stride_y) + "×" +
                   std::to_string(a.stride_x);
}
template <class Args>
void random_phase(World& world, Args& a, Random& r) {
    if (r.chance(70)) return;
    a.stride_y = a.stride_x = 1;
    a.step_y = r.between(1, 3), a.step_x = r.between(1, 3);
    a.phase_y = r.between(0, a.step_y - 1), a.phase_x = r.between(0, a.step_x - 1);
    world.shape += " phase " + std::to_string(a.phase_y) + "," + std::to_string(a.phase_x) + " of " +
                   std::to_string(a.step_y) + "×" + std::to_string(a.step_x);
}

inline Call float_conv_case(World& world, Random& r) {
    FloatConv a;
    random_taps(world, a, r);
    random_phase(world, a, r);
    a.groups = r.chance(60) ? 1 : r.between(1, 20);
    const int in_each = a.groups == 1 ? r.channels() : r.between(1, 4),
              out_each = a.groups == 1 ? r.channels() : r.between(1, 20);
    a.in = world.f32("in", r.between(1, 7), r.between(1, 7), a.groups * in_each, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, 7), a.groups * out_each, 0};
    a.weight = world.floats("weight", int64_t(a.groups) * a.taps * in_each * ((out_each + 63) / 64 * 64), r);
    a.bias = world.per_channel("bias", a.out.c, r);
    world.shape += size("in", a.in) + " groups " + std::to_string(a.groups);
    return finish_case(world, a, r, &Kernels::float_conv);
}

// What a convolution of codes of a grid takes besides its weights. room: of `start`; unit: of the scales.
template <class Args>
void add_grid(World& world, Args& a, const Memory& sums, const Grid& grid, int room, float unit, Random& r) {
    uint8_t* zeros = world.array<uint8_t>("zeros", a.in.stride);
    std::memset(zeros, grid.zero, size_t(a.in.stride));
    a.zeros = zeros;
    int32_t* start = world.array<int32_t>("start", room);
    for (int c = 0; c < a.out.c; c++) start[c] = -grid.zero * sums.as<int32_t>()[c];
    a.start = start;
    float* scale = world.per_channel("scale", a.out.c, r);
    for (int c = 0; c < a.out.c; c++) scale[c] *= unit;
    a.scale = scale;
    a.bias = world.per_channel("bias", a.out.c, r);
}

// Weights that the engine itself packed, and what else a convolution of a.in's codes takes.
inline ConvWeights& add_weights(World& world, Conv& a, int groups, const Grid& grid, Random& r) {
    std::vector<int8_t> weight(size_t(a.out.c * (a.in.c / groups) * a.taps));
    for (int8_t& w : weight) w = int8_t(r.between(-128, 127));
    std::vector<int32_t> taps;
    for (int t = 0; t < a.taps; t++) taps.push_back(t);
    auto& packed = world.own(pack_conv(weight.data(), a.out.c, a.in.c, groups, a.taps, taps));
    pack_pairs(packed);
    a.blocks = packed.blocks.data();
    a.block_count = int32_t(packed.blocks.size());
    pack_tiles(packed, run_of_taps(a));
    add_grid(world, a, packed.sums, grid, a.out.c + 128, 1e-4f, r);
    return packed;
}

inline Conv random_conv(World& world, Random& r, int& groups) {
    Conv a;
    random_taps(world, a, r);
    random_phase(world, a, r);
    groups = r.chance(60) ? 1 : r.between(1, 6);
    const int in_each = groups == 1 ? r.channels() : r.between(1, 20),
              out_each = groups == 1 ? r.channels() : r.between(1, 20);
    const Grid grid = random_grid(r);
    const int widest = r.chance(80) ? 7 : 50;  // whole tiles of 16 pixels of a row are another matter
    a.in = world.codes("in", r.between(1, 7), r.between(1, widest), groups * in_each, grid, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, widest), groups * out_each, 0};
    world.shape += size("in", a.in) + " groups " + std::to_string(groups);
    add_weights(world, a, groups, grid, r);
    return a;
}

inline void add_accumulators(World& world, Conv& a) {
    a.accumulator_stride = (a.out.c + 15) / 16 * 16 + 64;  // vectors write past the last channel
    a.accumulators = world.array<int32_t>("accumulators", a.out.pixels() * a.accumulator_stride);
    world.buffers.back().row = a.accumulator_stride;
    world.buffers.back().valid = a.out.c;
}

// Blocks that do not begin at a group of 4 channels count a group that they share twice.
inline Call finish_conv(World& world, const Conv& a, Random& r, void (*Kernels::*kernel)(const Conv&, Pixels)) {
    const Call call = finish_case(world, a, r, kernel);
    for (int k = 0; k < a.block_count; k++)
        if (a.blocks[k].first % 4)
            for (Buffer& b : world.buffers) b.counts |= b.name == "moved";
    return call;
}

inline Call conv_case(World& world, Random& r) {
    int groups;
    Conv a = random_conv(world, r, groups);
    if (r.chance(30)) add_accumulators(world, a);
    if (r.chance(40)) add_sparse_taps(world, a, groups, r);
    return finish_conv(world, a, r, &Kernels::conv);
}

// The definition computes all pixels, the kernel all tiles, in two parts.
inline Call winograd_case(World& world, Random& r) {
    Conv a;
    const int top = r.between(0, 3), left = r.between(0, 3);
    auto &dy = world.own<std::vector<int32_t>>(), &dx = world.own<std::vector<int32_t>>();
    for (int t = 0; t < 9; t++) dy.push_back(t / 3 - top), dx.push_back(t % 3 - left);
    a.taps = 9;
    a.dy = dy.data(), a.dx = dx.data();
    const Grid grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 15), r.between(1, 15), 16 * r.between(1, 5), grid, r);
    a.out = {nullptr, r.between(1, 15), r.between(1, 15), r.channels(), 0};
    world.shape += size("in", a.in);
    a.winograd = pack_winograd(add_weights(world, a, 1, grid, r));
    if (r.chance(30)) add_accumulators(world, a);
    if (r.chance(40)) add_sparse_taps(world, a, 1, r);
    add_program(world, a, r);
    const int64_t tiles = int64_t((a.out.h + 1) / 2) * ((a.out.w + 1) / 2), split = r.between(0, int(tiles));
    return [=](const Kernels& kernels) {
        if (!kernels.winograd) return kernels.conv(a, {nullptr, 0, a.out.pixels()});
        const Memory scratch(winograd_bytes(a));
        // Some of them one after the other, the others by a list.
        kernels.winograd(a, {nullptr, 0, split}, scratch.as<void>());
        std::vector<int32_t> list;
        for (int64_t tile = split; tile < tiles; tile++) list.push_back(int32_t(tile));
        kernels.winograd(a, {list.data(), 0, int64_t(list.size())}, scratch.as<void>());
    };
}

// The accumulators are those of earlier codes; some of these then change, and `delta` and `moved` say how.
inline Call conv_residual_case(World& world, Random& r) {
    int groups;
    Conv a = random_conv(world, r, groups);
    add_accumulators(world, a);
    find_kernels("reference")->conv(a, {nullptr, 0, a.out.pixels()});
    int8_t* delta = world.array<int8_t>("delta of in", a.in.pixels() * a.in.stride);
    uint16_t* moved = world.array<uint16_t>("moved of in", a.in.pixels());
    const int pixels = r.between(0, 100), share = r.between(1, 100), most = r.between(1, 127);
    for (int64_t p = 0; p < a.in.pixels(); p++) {
        if (!r.chance(pixels)) continue;
        for (int c = 0; c < a.in.c; c++) {
            if (!r.chance(share)) continue;
            uint8_t& code = a.in.u8()[p * a.in.stride + c];
            const int change = r.between(code < most ? -code : -most, code > 255 - most ? 255 - code : most);
            code = uint8_t(code + change);
            delta[p * a.in.stride + c] = int8_t(change);
            moved[p] |= change != 0;
        }
    }
    a.delta = delta;
    a.moved = moved;
    return finish_conv(world, a, r, &Kernels::conv_residual);
}

inline Call depthwise_case(World& world, Random& r) {
    Depthwise a;
    random_taps(world, a, r);
    const Grid grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 7), r.between(1, 7), r.channels(), grid, r);
    a.out = {nullptr, r.between(1, 7), r.between(1, 7), a.in.c, 0};
    world.shape += size("in", a.in);
    std::vector<int8_t> weight(size_t(a.in.c * a.taps));
    for (int8_t& w : weight) w = int8_t(r.between(-128, 127));
    auto& packed = world.own(pack_depthwise(weight.data(), a.in.c, a.taps));
    a.weight = packed.flat.as<int8_t>();
    a.interleaved = packed.interleaved.as<int8_t>();
    add_grid(world, a, packed.sums, grid, (a.out.c + 63) / 64 * 64, 1e-3f, r);
    if (r.chance(40)) add_sparse_taps(world, a, a.in.c, r);
    return finish_case(world, a, r, &Kernels::depthwise);
}

}  // namespace vq::test
