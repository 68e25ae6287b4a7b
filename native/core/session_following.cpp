// Following changes from frame to frame.
#include "session_parts.h"

#include <cstring>

namespace vq {
namespace {

// Of a convolution, what one output pixel costs at most, in groups of 4 input channels.
int64_t groups_of(const Op& op, const Slot& in) {
    return int64_t(op.parts[0].dy.size()) * ((in.c / op.groups + 3) / 4);
}

// More than this share of an operator's pixels: rows of all of them take no longer than lists.
constexpr double nearly_all = 0.9;
constexpr double winograd_gain = 1.8;  // measured on ResNet-18 at 512 × 1024

}  // namespace

// Which of the codes that an operator stores are followed in this frame.
void Session::begin_following(Bound& b, const Changed& changed) {
    const auto bytes = [&](Rows rows) { return size_t(rows.last - rows.first) * size_t(b.op->w) * 2; };
    for (size_t i = 0; i < b.steps.size(); i++) {
        Step& step = b.steps[i];
        const int32_t slot = b.op->steps[i].slot;
        if (slot < 0) continue;
        State& s = states_[size_t(slot)];
        step.track = Track();
        s.all = changed.all;
        if (step.kind == Do::store_codes && changed.anew) s.followed = false, s.in_vain = 0;
        else if (step.kind == Do::store_codes) {
            if (s.followed) {
                const bool vain = s.readers > 0 && s.in_vain == s.readers;
                s.skip = vain ? s.backoff : 0;
                s.backoff = vain ? std::min(2 * s.backoff, 16) : 1;
            }
            s.in_vain = 0;
            // With a tau the codes that are held depend on every comparison, so none may be left out.
            s.followed = s.tau > 0 || b.direct || s.skip == 0;
            if (!s.followed) {
                s.skip--;
                s.all = true;
                continue;
            }
            step.track = {s.delta.as<int8_t>(), false, s.moved.as<uint16_t>(), s.tau};
            for (const Bound* reader : s.convolutions) step.track.changes |= reader->armed;
            s.all = false;
        }
        if (s.all) continue;
        uint16_t* moved = s.moved.as<uint16_t>();
        if (!s.rows.none()) std::memset(moved + int64_t(s.rows.first) * b.op->w, 0, bytes(s.rows));
        s.rows = changed.rows;
        if (!step.track.delta && !s.rows.none()) {  // what is computed counts as changed
            const int64_t from = int64_t(s.rows.first) * b.op->w;
            std::memcpy(moved + from, map_.as<uint16_t>() + from, bytes(s.rows));
        }
    }
}

void Session::run_following(Bound& b) {
    const Op& op = *b.op;
    const Changed changed = window(b);
    begin_following(b, changed);
    double share = 1;
    if (changed.rows.none()) {
        work_of(b) = {0, How::listed};
        return count_cost(b, 0);
    }
    if (changed.all) {
        b.armed = false;
        for (Conv& c : b.convs) c.accumulators = nullptr;
        run_dense(b, {nullptr, 0, int64_t(op.h) * op.w});
        if (b.direct) narrow(b);
    } else {
        share = op.kind == Kind::conv ? follow_convolution(b, changed.rows) : follow_pixels(b, changed.rows);
        if (share > 0.85 && !b.armed)
            for (const int32_t input : op.inputs) states_[size_t(input)].in_vain++;
    }
    count_cost(b, share);
}

// The network's input is followed everywhere: in which rows it changed.
void Session::narrow(Bound& b) {
    const int64_t w = b.op->w;
    for (const StepPlan& step : b.op->steps) {
        State& s = states_[size_t(step.slot)];
        if (s.all) continue;
        const uint16_t* moved = s.moved.as<uint16_t>();
        const auto still = [&](int64_t row) {
            uint16_t any = 0;
            for (int64_t p = row * w; p < (row + 1) * w; p++) any |= moved[p];
            return any == 0;
        };
        while (s.rows.first < s.rows.last && still(s.rows.first)) s.rows.first++;
        while (s.rows.first < s.rows.last && still(s.rows.last - 1)) s.rows.last--;
    }
}

// Computes the pixels that see a change; returns the share of them. Nearly all are faster without a list.
double Session::follow_pixels(Bound& b, Rows rows) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w;
    int64_t low, high, total;
    kernels_->split(map_.as<uint16_t>(), rows.first * op.w, rows.last * op.w, 1, low_.as<int32_t>(), low,
                    high_.as<int32_t>(), high, total);
    if (high > pixels * nearly_all) {
        run_dense(b, {nullptr, 0, pixels});
        return 1;
    }
    run_dense(b, {high_.as<int32_t>(), 0, high});
    work_of(b) = {op.macs * high / pixels, How::listed};
    return double(high) / double(pixels);
}

// A convolution has three ways: all pixels or those of a list in full, or the changed groups alone on top of the
// accumulators of the last frame. Costs are counted in groups of 4 channels met by one block of output channels.
// Returns the share of a full frame's work.
double Session::follow_convolution(Bound& b, Rows rows) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w;
    const int64_t full = groups_of(op, plan_->slots[size_t(op.inputs[0])]);
    const auto keep = [&](bool on) {
        if (on && !b.accumulators) {
            b.accumulators = Memory::of<int32_t>(size_t(pixels * b.accumulator_stride));
            bytes_ += b.accumulators.bytes();
        }
        const State& in = states_[size_t(op.inputs[0])];
        for (Conv& c : b.convs) {
            c.accumulators = on ? b.accumulators.as<int32_t>() : nullptr;
            c.accumulator_stride = b.accumulator_stride;
            c.delta = in.delta.as<int8_t>();
            c.moved = in.moved.as<uint16_t>();
        }
    };
    if (b.arm_wait > 0) b.arm_wait--;
    // Below a few groups a pixel in full costs no more than its accumulators.
    const bool worth = full >= 6;
    int32_t *low_list = low_.as<int32_t>(), *high_list = high_.as<int32_t>();
    int64_t low = 0, high = 0, total = 0;
    const uint16_t limit =
        worth ? uint16_t(std::min<int64_t>(0x8000, std::max<int64_t>(1, full * 40 / 100))) : uint16_t(1);
    kernels_->split(map_.as<uint16_t>(), rows.first * op.w, rows.last * op.w, limit, low_list, low, high_list, high,
                    total);
    // Fitted to measurements: a changed group costs about two of a full pixel, because neighbours share lists; taps
    // are looked up one by one; accumulators are read and written.
    const double pixel = double(full) + 6, store = 10,
                 own = 12 + 0.05 * double(full) + 1.5 * double(op.parts[0].dy.size());
    // What a pixel of a list costs, of one among all: Winograd's algorithm takes all pixels or none. With a tau outputs
    // depend on what is counted here, and they must be the same for every instruction set.
    const double direct = b.convs[0].winograd && !bounded_ ? winograd_gain : 1;
    const bool all = double(low + high) > double(pixels) * nearly_all / direct;
    const double listed = pixel * (all ? double(pixels) / direct : double(low + high));
    const double residual = 2.2 * double(total) + own * double(low) + (pixel + store) * double(high);
    const bool gains = residual < 0.9 * listed;
    if (b.armed && gains) {
        keep(true);
        for (const Conv& c : b.convs) {
            spread({high_list, 0, high}, least_pixels(op), [&](Pixels part) { kernels_->conv(c, part); });
            spread({low_list, 0, low}, 48, [&](Pixels part) { kernels_->conv_residual(c, part); });
        }
        const int64_t macs =
            op.macs / pixels * high + int64_t(double(op.macs) / double(pixels * full) * double(total));
        work_of(b) = {macs, How::residual};
        return 1.5 * double(macs) / double(op.macs) + 0.1;
    }
    if (low + high == 0) {
        work_of(b) = {0, How::listed};
        return 0;
    }
    // Filling the accumulators costs a whole frame of this layer: only where it soon pays.
    const double whole = (pixel / direct + store) * double(pixels);
    if (!b.armed && worth && gains && !b.arm_wait && whole - listed < 4 * (listed - residual)) {
        b.armed = true;
        b.arm_wait = b.arm_backoff;
        b.arm_backoff = std::min(2 * b.arm_backoff, 64);
        keep(true);
        run_dense(b, {nullptr, 0, pixels});
        return 1;
    }
    b.armed = false;
    keep(false);
    if (all) {
        run_dense(b, {nullptr, 0, pixels});
        return 1;
    }
    work_of(b) = {op.macs / pixels * (low + high), How::listed};
    // One list again, in order.
    std::merge(low_list, low_list + low, high_list, high_list + high, merged_.as<int32_t>());
    run_dense(b, {merged_.as<int32_t>(), 0, low + high});
    return double(low + high) / double(pixels);
}

}  // namespace vq
