// Which output pixels of an operator see a change.
#include "session_parts.h"

#include <cstring>

namespace vq {
namespace {

// Output rows step · y + phase see input rows y + dy.
bool is_transposed(const Op& op) {
    return op.parts.size() > 1 || (!op.parts.empty() && (op.parts[0].step_y != 1 || op.parts[0].step_x != 1));
}

}  // namespace

bool Session::grids_changed(const Bound& b) const {
    bool any = b.op->grid >= 0 && grid_changed_[size_t(b.op->grid)];
    for (const StepPlan& step : b.op->steps) any |= step.grid >= 0 && grid_changed_[size_t(step.grid)];
    return any;
}

// Whether anything changed in a slot.
bool Session::any_moved(int32_t slot) const {
    const State& s = states_[size_t(slot)];
    if (s.all) return true;
    const int64_t w = plan_->slots[size_t(slot)].w;
    const uint16_t* moved = s.moved.as<uint16_t>();
    uint16_t any = 0;
    for (int64_t p = s.rows.first * w; p < s.rows.last * w; p++) any |= moved[p];
    return any != 0;
}

// The output rows that see the changed rows of an operator's inputs; all where that would be long to say.
Session::Rows Session::reach(const Bound& b) const {
    const Op& op = *b.op;
    Rows rows;
    for (const int32_t input : op.inputs) rows = rows.with(states_[size_t(input)].rows);
    if (rows.none()) return rows;
    switch (op.kind) {
        case Kind::map: case Kind::dequantize: case Kind::softmax: case Kind::sparse: return rows;
        case Kind::conv: case Kind::depthwise: case Kind::float_conv: case Kind::pool: {
            if (is_transposed(op)) break;
            const int32_t stride = op.kind == Kind::pool ? op.pool.stride_y : op.stride_y;
            const int32_t first = rows.first - b.rows.back(), last = rows.last - 1 - b.rows.front();
            return {first > 0 ? std::min(op.h, (first + stride - 1) / stride) : 0,
                    last >= 0 ? std::min(op.h, last / stride + 1) : 0};
        }
        case Kind::move:
            if (op.move.kind == MoveKind::concat) return rows;
            break;
        default: break;
    }
    return {0, op.h};
}

// Which output pixels an operator must compute: fills map_ with how much changed in the window of each (a count of
// groups for layers), in the rows that it returns.
// This is the one place that decides what may stay as the last frame left it. That is what was computed from the same:
// in this session's memory (fresh_), by the same grids, those of the codes that the operator reads and of all that its
// steps store (a code says nothing without its grid), and from inputs and operands that did not change there. Whatever
// is taken over from a frame (values, codes to compare with, accumulators) is taken over on what this says.
Session::Changed Session::window(Bound& b) {
    const Op& op = *b.op;
    const bool anew = fresh_ || grids_changed(b);
    bool all = anew || op.kind == Kind::constant || b.direct;
    for (const int32_t input : op.inputs) all |= states_[size_t(input)].all;
    Rows operands;
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0 || all) continue;
        const Slot& slot = plan_->slots[size_t(step.operand)];
        const State& state = states_[size_t(step.operand)];
        if (slot.h == op.h && slot.w == op.w) {
            all |= state.all;
            operands = operands.with(state.rows);
        } else all |= any_moved(step.operand);
    }
    if (all) return {anew, true, {0, op.h}};
    const Rows inputs = reach(b), rows = inputs.with(operands);
    if (rows.none()) return {false, false, rows};
    uint16_t* map = map_.as<uint16_t>();
    if (inputs.none()) std::memset(map + int64_t(rows.first) * op.w, 0, size_t(rows.last - rows.first) * op.w * 2);
    else fill_window(b, rows);
    for (const StepPlan& step : op.steps) {
        if (step.operand < 0) continue;
        const Slot& slot = plan_->slots[size_t(step.operand)];
        const State& state = states_[size_t(step.operand)];
        if (slot.h != op.h || slot.w != op.w) continue;
        const uint16_t* other = state.moved.as<uint16_t>();
        // A changed operand asks for the pixel, but brings no changed groups: 1 where there is nothing else.
        for (int64_t p = int64_t(state.rows.first) * op.w; p < int64_t(state.rows.last) * op.w; p++)
            map[p] = map[p] | uint16_t(other[p] && !map[p]);
    }
    return {false, false, rows};
}

// The window's part of map_, in these rows at least.
void Session::fill_window(Bound& b, Rows rows) {
    const Op& op = *b.op;
    const int64_t pixels = int64_t(op.h) * op.w, begin = int64_t(rows.first) * op.w, end = int64_t(rows.last) * op.w;
    uint16_t* map = map_.as<uint16_t>();
    const Slot& in = plan_->slots[size_t(op.inputs[0])];
    const uint16_t* moved = states_[size_t(op.inputs[0])].moved.as<uint16_t>();
    switch (op.kind) {
        case Kind::conv: case Kind::depthwise: case Kind::float_conv: case Kind::pool: {
            const bool pointwise = b.rows.size() == 1 && b.columns.size() == 1 && b.rows[0] == 0 && b.columns[0] == 0;
            const bool strided = op.kind == Kind::pool ? op.pool.stride_y != 1 || op.pool.stride_x != 1
                                                       : op.stride_y != 1 || op.stride_x != 1;
            if (is_transposed(op)) {
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
                std::memcpy(map + begin, moved + begin, size_t(end - begin) * 2);
                break;
            }
            WindowMap m;
            m.in = moved, m.in_h = in.h, m.in_w = in.w;
            m.out = map, m.out_w = op.w;
            m.rows = b.rows.data(), m.row_count = int32_t(b.rows.size());
            m.columns = b.columns.data(), m.column_count = int32_t(b.columns.size());
            m.stride_y = op.kind == Kind::pool ? op.pool.stride_y : op.stride_y;
            m.stride_x = op.kind == Kind::pool ? op.pool.stride_x : op.stride_x;
            m.margin = b.margin;
            const int32_t tasks = end - begin < 8192 ? 1 : threads_->count();
            const int32_t each = (rows.last - rows.first + tasks - 1) / tasks;
            threads_->run(tasks, [&](int64_t task) {
                WindowMap part = m;
                part.out_first = rows.first + int32_t(task) * each;
                part.out_last = std::min(rows.last, part.out_first + each);
                part.scratch = scratch_.as<uint16_t>() + task * scratch_width_;
                kernels_->window_map(part);
            });
            break;
        }
        case Kind::map:
        case Kind::dequantize:
        case Kind::softmax:
        case Kind::sparse: std::memcpy(map + begin, moved + begin, size_t(end - begin) * 2); break;
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
                    for (int64_t p = begin; p < end; p++) map[p] |= other[p];
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
}

}  // namespace vq
