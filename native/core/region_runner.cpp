#include "region_runner.h"

#include "../operators/convolution.h"
#include "resize_picture.h"

#include <stdexcept>

namespace vq {

RegionRunner::RegionRunner(const Plan& plan, Executor& executor, Runner& runner)
    : plan_(plan), executor_(executor), runner_(runner), lists_(plan.slots[0].h, plan.slots[0].w) {}

void RegionRunner::begin(const Region& region) {
    const Slot& input = plan_.slots[0];
    const auto blocks = [&](int32_t side) { return (side + region.block - 1) / region.block; };
    if (region.block < 1 || region.grow < 0 || region.grow > largest_side || region.rows != blocks(input.h) ||
        region.columns != blocks(input.w) || region.blocks.size() != size_t(region.rows) * size_t(region.columns))
        throw std::invalid_argument("a region's blocks do not cover the input");
    if (!ended_) lists_.forget_residual_region();
    ended_ = false;
    lists_.begin(region);
}

Pixels RegionRunner::input_pixels() {
    const Slot& slot = plan_.slots[0];
    if (region().whole) return {nullptr, 0, slot.pixels()};
    const std::vector<int32_t>& list = lists_.pixels(slot.h, slot.w);
    return {list.data(), 0, int64_t(list.size())};
}

void RegionRunner::take(const float* input) {
    const int64_t c = plan_.slots[0].c;
    float* held = static_cast<float*>(executor_.data(0));
    runner_.parallel_for(input_pixels(), 8192, [&](Pixels part) {
        each_run(part, [&](int64_t first, int64_t count) {
            std::memcpy(held + first * c, input + first * c, size_t(count * c) * sizeof(float));
        });
    });
}

void RegionRunner::take(const uint8_t* picture, const float* gain, const float* offset) {
    const int64_t c = plan_.slots[0].c;
    float* held = static_cast<float*>(executor_.data(0));
    runner_.parallel_for(input_pixels(), 8192, [&](Pixels part) {
        each_run(part, [&](int64_t first, int64_t count) {
            if (c == 3) return scale_rgb(picture + first * 3, count, gain, offset, false, held + first * 3);
            for (int64_t i = first * c; i < (first + count) * c; i++)
                held[i] = float(picture[i]) * gain[i % c] + offset[i % c];
        });
    });
}

Work RegionRunner::run(size_t program, size_t i) {
    Bound& b = *executor_.programs()[program][i];
    const Op& op = b.op;
    const int64_t pixels = op.pixels();
    if (region().none()) return {0, Path::sparse, 0};
    if (region().whole || op.placeless || pixels == 1) {
        b.run(runner_, {nullptr, 0, pixels});
        return {op.macs, Path::dense, 1};
    }
    const std::vector<int32_t>& list = lists_.pixels(op.h, op.w);
    const int64_t count = int64_t(list.size());
    if (count == pixels) b.run(runner_, {nullptr, 0, pixels});
    else if (Convolution* conv = b.convolution(); conv && conv->has_winograd()) {
        const std::vector<int32_t>&tiles = lists_.tiles(op.h, op.w), &beside = lists_.beside_tiles(op.h, op.w);
        conv->run_tiles(runner_, {tiles.data(), 0, int64_t(tiles.size())});
        conv->run_direct(runner_, {beside.data(), 0, int64_t(beside.size())});
    } else b.run(runner_, {list.data(), 0, count});
    clear_left(b);
    return {op.macs * count / pixels, Path::sparse, double(count) / double(pixels)};
}

// Residuals outside the region are 0: where one was stored that is not stored anew.
void RegionRunner::clear_left(const Bound& b) {
    for (size_t s = 0; s < b.steps.size(); s++) {
        const StepPlan& plan = b.op.steps[s];
        if (plan.slot < 0 || !plan_.slots[size_t(plan.slot)].residual) continue;
        const Step& step = b.steps[s];
        const std::vector<int32_t>& left = lists_.left(b.op.h, b.op.w);
        runner_.parallel_for({left.data(), 0, int64_t(left.size())}, 4096, [&](Pixels part) {
            for (int64_t i = part.begin; i < part.end; i++) {
                const int64_t p = part.at(i), at = p * step.out.stride;
                if (plan_.slots[size_t(plan.slot)].codes)
                    std::memset(step.out.u8() + at, step.grid.zero, size_t(step.out.stride));
                else std::memset(step.out.f32() + at, 0, size_t(step.out.stride) * 4);
                if (step.staged.counts) step.staged.counts[p] = 0;
            }
        });
    }
}

}  // namespace vq
