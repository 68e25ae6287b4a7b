// Following changes from frame to frame.
#include "session_parts.h"

namespace vq {
namespace {

// Of a convolution, what one output pixel costs at most, in groups of 4 input channels.
int64_t groups_of(const Op& op, const Slot& in) {
    return int64_t(op.parts[0].dy.size()) * ((in.c / op.groups + 3) / 4);
}

}  // namespace

bool Session::grids_changed(const Bound& b) const {
    bool any = b.op->grid >= 0 && grid_changed_[size_t(b.op->grid)];
    for (const StepPlan& step : b.op->steps) any |= step.grid >= 0 && grid_changed_[size_t(step.grid)];
    return any;
}

// Which output pixels an operator must compute: fills map_ with how much changed in the window of each (a count of
// groups for layers). `all` where that is not known.
void Session::window(Bound& b, bool& all) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w;
    uint16_t* map = map_.as<uint16_t>();
    const auto any_moved = [&](int32_t slot) {
        const State& s = states_[size_t(slot)];
        if (s.all) return true;
        const uint16_t* moved = s.moved.as<uint16_t>();
        const int64_t count = plan_->slots[size_t(slot)].pixels();
        uint16_t any = 0;
        for (int64_t p = 0; p < count; p++) any |= moved[p];
        return any != 0;
    };
    all = fresh_ || grids_changed(b) || op.kind == Kind::constant;
    for (const int32_t input : op.inputs) all |= states_[size_t(input)].all && !(b.direct && input == 0);
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0) continue;
        const Slot& slot = plan_->slots[size_t(step.operand)];
        if (slot.h == op.h && slot.w == op.w) all |= states_[size_t(step.operand)].all;
        else all |= any_moved(step.operand);
    }
    if (b.direct) all = true;
    if (all) return;

    const Slot& in = plan_->slots[size_t(op.inputs[0])];
    const uint16_t* moved = states_[size_t(op.inputs[0])].moved.as<uint16_t>();
    switch (op.kind) {
        case Kind::conv: case Kind::depthwise: case Kind::float_conv: case Kind::pool: {
            const bool pointwise = b.rows.size() == 1 && b.columns.size() == 1 && b.rows[0] == 0 && b.columns[0] == 0;
            const bool strided = op.kind == Kind::pool ? op.pool.stride_y != 1 || op.pool.stride_x != 1
                                                       : op.stride_y != 1 || op.stride_x != 1;
            const bool parts =
                op.parts.size() > 1 || (!op.parts.empty() && (op.parts[0].step_y != 1 || op.parts[0].step_x != 1));
            if (parts) {
                // A transposed convolution: output rows step · y + phase see input rows y + dy.
                std::memset(map, 0, size_t(pixels) * 2);
                for (const Part& part : op.parts)
                    for (size_t t = 0; t < part.dy.size(); t++)
                        for (int32_t y = 0; y < in.h; y++) {
                            const int64_t to_y = (int64_t(y) - part.dy[t]) * part.step_y + part.phase_y;
                            if (to_y < 0 || to_y >= op.h) continue;
                            for (int32_t x = 0; x < in.w; x++) {
                                const int64_t to_x = (int64_t(x) - part.dx[t]) * part.step_x + part.phase_x;
                                const uint16_t value = moved[int64_t(y) * in.w + x];
                                if (!value || to_x < 0 || to_x >= op.w) continue;
                                uint16_t& out = map[to_y * op.w + to_x];
                                out = uint16_t(std::min(0xFFFF, int(out) + value));
                            }
                        }
                break;
            }
            if (pointwise && !strided) {
                std::memcpy(map, moved, size_t(pixels) * 2);
                break;
            }
            WindowMap m;
            m.in = moved, m.in_h = in.h, m.in_w = in.w;
            m.out = map, m.out_h = op.h, m.out_w = op.w;
            m.rows = b.rows.data(), m.row_count = int32_t(b.rows.size());
            m.columns = b.columns.data(), m.column_count = int32_t(b.columns.size());
            m.stride_y = op.kind == Kind::pool ? op.pool.stride_y : op.stride_y;
            m.stride_x = op.kind == Kind::pool ? op.pool.stride_x : op.stride_x;
            m.scratch = scratch_.as<uint16_t>(), m.margin = 8192;
            kernels_->window_map(m);
            break;
        }
        case Kind::map:
        case Kind::dequantize:
        case Kind::softmax:
        case Kind::sparse: std::memcpy(map, moved, size_t(pixels) * 2); break;
        case Kind::adaptive_pool: {
            const uint16_t any = any_moved(op.inputs[0]);
            for (int64_t p = 0; p < pixels; p++) map[p] = any;
            break;
        }
        case Kind::resize: {
            const bool from_edge = op.resize.align_corners || op.resize.mode == ResizeMode::nearest;  // i · scale
            // One pixel more on every side than interpolation can reach.
            const auto reach = [](int32_t o, float scale, bool edge, int32_t limit, int32_t& low, int32_t& high) {
                const double at = edge ? double(o) * scale : (o + 0.5) * scale - 0.5;
                low = std::max(0, std::min(limit - 1, int32_t(at) - 2));
                high = std::max(0, std::min(limit - 1, int32_t(at) + 3));
            };
            for (int32_t y = 0; y < op.h; y++) {
                int32_t y0, y1;
                reach(y, op.resize.scale_y, from_edge, in.h, y0, y1);
                uint16_t* row = scratch_.as<uint16_t>();
                std::memset(row, 0, size_t(in.w) * 2);
                for (int32_t iy = y0; iy <= y1; iy++)
                    for (int32_t x = 0; x < in.w; x++) row[x] |= moved[int64_t(iy) * in.w + x];
                for (int32_t x = 0; x < op.w; x++) {
                    int32_t x0, x1;
                    reach(x, op.resize.scale_x, from_edge, in.w, x0, x1);
                    uint16_t any = 0;
                    for (int32_t ix = x0; ix <= x1; ix++) any |= row[ix];
                    map[int64_t(y) * op.w + x] = any;
                }
            }
            break;
        }
        case Kind::move: {
            std::memset(map, 0, size_t(pixels) * 2);
            if (op.move.kind == MoveKind::concat) {
                for (const int32_t input : op.inputs) {
                    const uint16_t* other = states_[size_t(input)].moved.as<uint16_t>();
                    for (int64_t p = 0; p < pixels; p++) map[p] |= other[p];
                }
                break;
            }
            if (op.move.kind == MoveKind::pad_reflect || op.move.kind == MoveKind::pad_replicate) {
                const uint16_t any = any_moved(op.inputs[0]);  // rare: all or nothing
                for (int64_t p = 0; p < pixels; p++) map[p] = any;
                break;
            }
            for (int32_t y = 0; y < op.h; y++)
                for (int32_t x = 0; x < op.w; x++) {
                    int64_t iy = y, ix = x;
                    if (op.move.kind == MoveKind::slice) {
                        if (op.move.dim == 1) iy = op.move.start + int64_t(y) * op.move.every;
                        if (op.move.dim == 2) ix = op.move.start + int64_t(x) * op.move.every;
                    } else if (op.move.kind == MoveKind::pad_constant) iy = y - op.move.top, ix = x - op.move.left;
                    else iy = y / op.move.factor, ix = x / op.move.factor;
                    if (iy >= 0 && iy < in.h && ix >= 0 && ix < in.w)
                        map[int64_t(y) * op.w + x] = moved[iy * in.w + ix];
                }
            break;
        }
        case Kind::constant: break;
    }
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0) continue;
        const Slot& slot = plan_->slots[size_t(step.operand)];
        if (slot.h != op.h || slot.w != op.w) continue;
        const uint16_t* other = states_[size_t(step.operand)].moved.as<uint16_t>();
        // A changed operand asks for the pixel, but brings no changed groups: 1 where there is nothing else.
        for (int64_t p = 0; p < pixels; p++) map[p] = map[p] | uint16_t(other[p] && !map[p]);
    }
}

// Which of the codes that an operator stores are followed in this frame.
void Session::begin_following(Bound& b, bool all) {
    const bool whole = fresh_ || grids_changed(b);
    const int64_t pixels = int64_t(b.op->h) * b.op->w;
    for (size_t i = 0; i < b.steps.size(); i++) {
        Step& step = b.steps[i];
        const int32_t slot = b.op->steps[i].slot;
        if (slot < 0) continue;
        State& s = states_[size_t(slot)];
        step.track = Track();
        s.all = all;
        if (step.kind != Do::store_codes || whole) continue;
        // With a tau the codes that are held depend on every comparison, so none may be left out.
        if (all && s.tau == 0 && !b.direct && s.skip > 0) {
            s.skip--;
            continue;
        }
        step.track = {s.delta.as<int8_t>(), false, s.moved.as<uint16_t>(), s.tau};
        for (const Bound* reader : s.convolutions) step.track.changes |= reader->armed;
        s.all = false;
        if (!all) std::memset(s.moved.as<uint16_t>(), 0, size_t(pixels) * 2);
    }
}

// What is known of the stored values now; map_ says which pixels were computed, where not all were.
void Session::end_following(Bound& b, bool all) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w;
    for (size_t i = 0; i < b.steps.size(); i++) {
        const int32_t slot = op.steps[i].slot;
        if (slot < 0) continue;
        State& s = states_[size_t(slot)];
        if (!b.steps[i].track.delta) {
            if (!all) std::memcpy(s.moved.as<uint16_t>(), map_.as<uint16_t>(), size_t(pixels) * 2);
            continue;
        }
        if (!all) continue;
        // Everything was computed and followed: was it worth it? The input always is, it costs little.
        if (b.direct) continue;
        int64_t count = 0, groups = 0;
        kernels_->count_moved(s.moved.as<uint16_t>(), pixels, count, groups);
        const int64_t quads = (op.c + 3) / 4;
        if (count > pixels * 85 / 100 && (s.convolutions.empty() || groups > pixels * quads * 50 / 100)) {
            s.skip = s.backoff;
            s.backoff = std::min(2 * s.backoff, 16);
        } else s.backoff = 1;
    }
}

void Session::run_following(Bound& b) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w;
    bool all;
    window(b, all);
    begin_following(b, all);
    double listed = 1;
    if (op.kind == Kind::conv) follow_convolution(b, all);
    else if (all) run_dense(b, {nullptr, 0, pixels});
    else {
        int64_t low, high, total;
        kernels_->split(map_.as<uint16_t>(), 0, int32_t(pixels), 1, low_.as<int32_t>(), low, high_.as<int32_t>(), high,
                        total);
        run_dense(b, {high_.as<int32_t>(), 0, high});
        listed = double(high) / double(pixels);
        work_of(b) = {op.macs * high / pixels, high == pixels ? How::dense : How::listed};
    }
    end_following(b, all);
    const auto& [macs, how] = work_of(b);
    const double share = op.macs ? double(macs) / double(op.macs) : all ? 1.0 : listed;
    count_cost(b, how == How::residual ? 1.5 * share + 0.1 : share, !fresh_);
}

// A convolution has three ways: all pixels or those of a list in full, or the changed groups alone on top of the
// accumulators of the last frame. Costs are counted in groups of 4 channels met by one block of output channels.
void Session::follow_convolution(Bound& b, bool all) {
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
    if (all) {
        b.armed = false;
        keep(false);
        run_dense(b, {nullptr, 0, pixels});
        return;
    }
    // Below a few groups a pixel in full costs no more than its accumulators.
    const bool worth = full >= 6;
    int32_t *low_list = low_.as<int32_t>(), *high_list = high_.as<int32_t>();
    int64_t low = 0, high = 0, total = 0;
    const uint16_t limit =
        worth ? uint16_t(std::min<int64_t>(0x8000, std::max<int64_t>(1, full * 40 / 100))) : uint16_t(1);
    kernels_->split(map_.as<uint16_t>(), 0, int32_t(pixels), limit, low_list, low, high_list, high, total);
    // Fitted to measurements: a changed group costs about two of a full pixel, because neighbours share lists; taps
    // are looked up one by one; accumulators are read and written.
    const double pixel = double(full) + 6, store = 10,
                 own = 12 + 0.05 * double(full) + 1.5 * double(op.parts[0].dy.size());
    const double listed = pixel * double(low + high);
    const double residual = 2.2 * double(total) + own * double(low) + (pixel + store) * double(high);
    const bool gains = residual < 0.9 * listed;
    if (b.armed && gains) {
        keep(true);
        for (const Conv& c : b.convs) {
            spread({high_list, 0, high}, least_pixels(op), [&](Pixels part) { kernels_->conv(c, part); });
            spread({low_list, 0, low}, 48, [&](Pixels part) { kernels_->conv_residual(c, part); });
        }
        work_of(b) = {op.macs / pixels * high + int64_t(double(op.macs) / double(pixels * full) * double(total)),
                      How::residual};
        return;
    }
    if (low + high == 0) {
        work_of(b) = {0, How::listed};
        return;
    }
    // Filling the accumulators costs a whole frame of this layer: only where it soon pays.
    const double whole = (pixel + store) * double(pixels);
    if (!b.armed && worth && gains && !b.arm_wait && whole - listed < 4 * (listed - residual)) {
        b.armed = true;
        b.arm_wait = b.arm_backoff;
        b.arm_backoff = std::min(2 * b.arm_backoff, 64);
        keep(true);
        run_dense(b, {nullptr, 0, pixels});
        return;
    }
    b.armed = false;
    keep(false);
    work_of(b) = {op.macs / pixels * (low + high), low + high == pixels ? How::dense : How::listed};
    if (low + high == pixels) return run_dense(b, {nullptr, 0, pixels});
    // One list again, in order.
    std::merge(low_list, low_list + low, high_list, high_list + high, merged_.as<int32_t>());
    run_dense(b, {merged_.as<int32_t>(), 0, low + high});
}

}  // namespace vq
