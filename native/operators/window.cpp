#include "window.h"

#include "../core/reference.h"

#include <set>

namespace vq {

WindowBound::WindowBound(const Op& op, const Buffers& buffers, int32_t stride_y, int32_t stride_x,
                         const std::vector<const Taps*>& parts)
    : Bound(op, buffers), stride_y_(stride_y), stride_x_(stride_x), parts_(parts),
      transposed_(parts.size() > 1 || parts[0]->step_y != 1 || parts[0]->step_x != 1) {
    std::set<int32_t> rows, columns;
    for (const Taps* part : parts) {
        rows.insert(part->dy.begin(), part->dy.end());
        columns.insert(part->dx.begin(), part->dx.end());
    }
    rows_.assign(rows.begin(), rows.end());
    columns_.assign(columns.begin(), columns.end());
    margin_ = std::max({0, -columns_.front(), (op.w - 1) * stride_x + columns_.back() - (inputs[0].w - 1)}) + stride_x;
}

Rows WindowBound::reach(Rows rows) const {
    if (transposed_) return {0, op.h};
    const int32_t first = rows.first - rows_.back(), last = rows.last - 1 - rows_.front();
    return {first > 0 ? std::min(op.h, (first + stride_y_ - 1) / stride_y_) : 0,
            last >= 0 ? std::min(op.h, last / stride_y_ + 1) : 0};
}

void WindowBound::fill_mask(const InputChanges& changes, Rows rows, uint16_t* mask) const {
    const int64_t begin = int64_t(rows.first) * op.w, end = int64_t(rows.last) * op.w;
    if (transposed_) return fill_transposed(changes.masks[0], mask);
    const bool pointwise = rows_.size() == 1 && columns_.size() == 1 && rows_[0] == 0 && columns_[0] == 0;
    if (pointwise && stride_y_ == 1 && stride_x_ == 1) {
        std::memcpy(mask + begin, changes.masks[0] + begin, size_t(end - begin) * 2);
        return;
    }
    WindowMap map;
    map.in = changes.masks[0], map.in_h = inputs[0].h, map.in_w = inputs[0].w;
    map.out = mask, map.out_w = op.w;
    map.rows = rows_.data(), map.row_count = int32_t(rows_.size());
    map.columns = columns_.data(), map.column_count = int32_t(columns_.size());
    map.stride_y = stride_y_, map.stride_x = stride_x_;
    map.margin = margin_;
    Runner& runner = changes.runner;
    const int32_t tasks = end - begin < 8192 ? 1 : runner.threads->count();
    const int32_t each = (rows.last - rows.first + tasks - 1) / tasks;
    runner.threads->run(tasks, [&](int64_t task) {
        WindowMap part = map;
        part.out_first = rows.first + int32_t(task) * each;
        part.out_last = std::min(rows.last, part.out_first + each);
        part.scratch = runner.rows.as<uint16_t>() + task * runner.row_width;
        runner.kernels.window_map(part);
    });
}

void WindowBound::fill_transposed(const uint16_t* changed, uint16_t* mask) const {
    const Tensor& in = inputs[0];
    std::memset(mask, 0, size_t(op.pixels()) * 2);
    for (const Taps* part : parts_)
        for (size_t t = 0; t < part->dy.size(); t++)
            for (int32_t y = 0; y < in.h; y++) {
                const int64_t to_y = (int64_t(y) - part->dy[t]) * part->step_y + part->phase_y;
                if (to_y < 0 || to_y >= op.h) continue;
                for (int32_t x = 0; x < in.w; x++) {
                    const int64_t to_x = (int64_t(x) - part->dx[t]) * part->step_x + part->phase_x;
                    const uint16_t value = changed[int64_t(y) * in.w + x];
                    if (!value || to_x < 0 || to_x >= op.w) continue;
                    uint16_t& out = mask[to_y * op.w + to_x];
                    out = uint16_t(std::min(0xFFFF, int(out) + value));
                }
            }
}

// One value at a time: what the kernels are compared with.
namespace reference {

void window_map(const WindowMap& m) {
    for (int32_t y = m.out_first; y < m.out_last; y++)
        for (int32_t x = 0; x < m.out_w; x++) {
            int64_t sum = 0;
            for (int32_t r = 0; r < m.row_count; r++)
                for (int32_t c = 0; c < m.column_count; c++) {
                    const int32_t iy = y * m.stride_y + m.rows[r], ix = x * m.stride_x + m.columns[c];
                    if (iy >= 0 && iy < m.in_h && ix >= 0 && ix < m.in_w) sum += m.in[int64_t(iy) * m.in_w + ix];
                }
            m.out[int64_t(y) * m.out_w + x] = uint16_t(sum < 0xFFFF ? sum : 0xFFFF);
        }
}

}  // namespace reference

}  // namespace vq
