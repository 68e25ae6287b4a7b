#include "gate.h"

#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace vq {
namespace {

// As in gate.py and noise.py.
constexpr int patch = gate_cell;  // cells
constexpr int32_t old = 1 << 30;
constexpr double cut = 0.75, calm = 0.5;
constexpr int64_t most = 4;
constexpr size_t fewest = 16;
constexpr double pace = 32, unknown = -1, mean_to_deviation = 1.2533141373155003;

int64_t up(int64_t length, int64_t by) { return (length + by - 1) / by; }

}  // namespace

Gate::Gate(const GateRule& rule, int64_t h, int64_t w, int32_t c, const Kernels& kernels)
    : rule_(rule), h_(h), w_(w), c_(c), kernels_(kernels), rows_(up(h, std::max<int64_t>(rule.block, 1))),
      columns_(up(w, std::max<int64_t>(rule.block, 1))), cell_rows_(up(h, gate_cell)), cell_columns_(up(w, gate_cell)),
      patch_rows_(cell_rows_ / patch), patch_columns_(cell_columns_ / patch) {
    if (h < 1 || w < 1 || c < 1 || h > 1 << 20 || w > 1 << 20 || c > 1 << 10 || h * w > int64_t(1) << 31)
        throw std::invalid_argument("a gate is for pictures of 1 to 1048576 rows and columns");
    if (!(rule.trigger > 0 && std::isfinite(rule.trigger)) || rule.floor < 1 || rule.floor > 255 || rule.margin < 0 ||
        rule.memory < 1 || rule.rest < 0 || rule.refresh < 1 || rule.block % gate_cell || rule.block < 8 || rule.block > 64)
        throw std::invalid_argument("a gate's rule is out of range");
    const size_t cells = size_t(cell_rows_ * cell_columns_ * c), row = size_t(cell_columns_ * c);
    sums_ = Memory::of<uint16_t>(cells), held_ = Memory::of<uint16_t>(cells), before_ = Memory::of<uint16_t>(cells);
    scratch_ = Memory::of<uint16_t>((row + 2 * size_t(c)) * gate_cell);
    largest_ = Memory::of<uint16_t>(size_t(cell_columns_));
    change_ = Memory::of<int16_t>(row), moved_ = Memory::of<uint16_t>(row);
    const size_t patches = size_t(patch_rows_ * patch_columns_), blocks = size_t(rows_ * columns_);
    patch_change_.resize(patches * size_t(c)), patch_bright_.resize(patches), patch_moved_.resize(patches);
    found_.reserve(patches), order_.reserve(patches);
    for (auto* of : {&since_, &still_}) of->resize(blocks);
    for (auto* of : {&triggered_, &stirs_, &line_, &blocks_}) of->resize(blocks);
    reset();
}

void Gate::reset() {
    frames_ = 0, last_ = Last::region;
    std::fill(since_.begin(), since_.end(), old);
    std::fill(still_.begin(), still_.end(), old);
    std::fill(deviation_, deviation_ + bins, unknown);
}

size_t Gate::bytes() const {
    return sums_.bytes() + held_.bytes() + before_.bytes() + scratch_.bytes() + largest_.bytes() + change_.bytes() +
           moved_.bytes() + 4 * (since_.size() + still_.size() + patch_change_.size() + patch_bright_.size() + order_.capacity()) +
           8 * (patch_moved_.size() + found_.capacity()) + 4 * blocks_.size();
}

Gate::Found Gate::step(const uint8_t* picture) {
    for (int64_t row = 0; row < cell_rows_; row++) sum_cells(picture, row);
    std::fill(blocks_.begin(), blocks_.end(), uint8_t(1));
    if (frames_++ == 0) {
        std::memcpy(held_.as<char>(), sums_.as<char>(), sums_.bytes());
        std::swap(before_, sums_);
        last_ = Last::whole;
        return {true, false};
    }
    const Limits found = limits();
    std::fill(triggered_.begin(), triggered_.end(), uint8_t(0));
    std::fill(stirs_.begin(), stirs_.end(), uint8_t(0));
    for (int64_t row = 0; row < cell_rows_; row++) compare_row(row, found);
    find_faint(found);
    dilate();
    const size_t count = blocks_.size();
    const auto triggered = std::count(triggered_.begin(), triggered_.end(), uint8_t(1));
    const bool much = double(triggered) / double(count) >= (last_ == Last::region ? cut : calm);
    const bool whole = much || last_ == Last::moving, moving = much && last_ != Last::region;
    for (size_t i = 0; i < count; i++) {
        since_[i] = much ? old : triggered_[i] ? 0 : std::min(since_[i] + 1, old);
        still_[i] = triggered_[i] | stirs_[i] ? 0 : std::min(still_[i] + 1, old);
    }
    if (!whole) {
        for (size_t i = 0; i < count; i++) blocks_[i] = (since_[i] <= rule_.memory) & (still_[i] <= rule_.rest);
        mark_due();
    }
    hold();
    learn_noise();
    std::swap(before_, sums_);
    last_ = moving ? Last::moving : whole ? Last::whole : Last::region;
    return {whole, moving};
}

// A cell that is cut off at the edge repeats the last row and column.
void Gate::sum_cells(const uint8_t* picture, int64_t row) {
    const uint8_t* rows[gate_cell];
    for (int64_t k = 0; k < gate_cell; k++) rows[k] = picture + std::min(row * gate_cell + k, h_ - 1) * w_ * c_;
    uint16_t* sums = sums_.as<uint16_t>() + row * cell_columns_ * c_;
    const int64_t whole = w_ / gate_cell;
    if (whole) kernels_.cell_sums(rows, whole, c_, sums, scratch_.as<uint16_t>());
    if (whole == cell_columns_) return;
    for (int32_t k = 0; k < c_; k++) {
        int sum = 0;
        for (const uint8_t* pixels : rows)
            for (int64_t x = whole * gate_cell; x < (whole + 1) * gate_cell; x++)
                sum += pixels[std::min(x, w_ - 1) * c_ + k];
        sums[whole * c_ + k] = uint16_t(sum);
    }
}

Gate::Limits Gate::limits() const {
    Limits found;
    const int64_t floor = rule_.floor * gate_cell * gate_cell;
    double nearest = 0;  // of a darker bin, or else the first that is known
    for (int b = bins - 1; b >= 0; b--) nearest = deviation_[b] != unknown ? deviation_[b] : nearest;
    for (int b = 0; b < bins; b++) {
        nearest = deviation_[b] != unknown ? deviation_[b] : nearest;
        const auto by_noise = int64_t(std::floor(std::min(rule_.trigger * nearest, double(most * floor))));
        found.far[b] = std::max(by_noise, floor), found.near[b] = std::max(by_noise * 2 / 3, floor / 4);
    }
    return found;
}

// Marks the blocks whose cells trigger or stir, and adds up patches.
void Gate::compare_row(int64_t row, const Limits& limits) {
    const int64_t at = row * cell_columns_ * c_;
    if (row % patch == 0) {
        std::memset(change_.as<char>(), 0, change_.bytes());
        std::memset(moved_.as<char>(), 0, moved_.bytes());
    }
    const CellRow cells{sums_.as<uint16_t>() + at, held_.as<uint16_t>() + at, before_.as<uint16_t>() + at, cell_columns_, c_};
    uint16_t* largest = largest_.as<uint16_t>();
    kernels_.cell_changes(cells, largest, change_.as<int16_t>(), moved_.as<uint16_t>());
    const int64_t each = rule_.block / gate_cell;
    uint8_t *triggered = &triggered_[size_t(row / each * columns_)], *stirs = &stirs_[size_t(row / each * columns_)];
    const uint16_t* bright = cells.held + c_ / 2;
    for (int64_t b = 0, i = 0; b < columns_; b++) {
        uint8_t far = 0, near = 0;
        for (const int64_t end = std::min(i + each, cell_columns_); i < end; i++) {
            const int bin = bright[i * c_] >> 9;
            far |= largest[i] > limits.far[bin], near |= largest[i] > limits.near[bin];
        }
        triggered[b] |= far, stirs[b] |= near;
    }
    if (row < patch_rows_ * patch) fold_patches(row);
}

void Gate::fold_patches(int64_t row) {
    const int64_t first = row / patch * patch_columns_;
    const uint16_t* bright = held_.as<uint16_t>() + row * cell_columns_ * c_ + c_ / 2;
    for (int64_t q = 0; q < patch_columns_; q++) {
        int32_t sum = row % patch ? patch_bright_[size_t(first + q)] : 0;
        for (int64_t x = q * patch; x < (q + 1) * patch; x++) sum += bright[x * c_];
        patch_bright_[size_t(first + q)] = sum;
    }
    if (row % patch != patch - 1) return;
    for (int64_t q = 0; q < patch_columns_; q++) {
        const int16_t* change = change_.as<int16_t>() + q * patch * c_;
        const uint16_t* moved = moved_.as<uint16_t>() + q * patch * c_;
        int64_t sum = 0;
        for (int64_t k = 0; k < patch * c_; k++) sum += moved[k];
        patch_moved_[size_t(first + q)] = sum;
        for (int32_t k = 0; k < c_; k++)
            patch_change_[size_t((first + q) * c_ + k)] = change[k] + change[c_ + k] + change[2 * c_ + k] + change[3 * c_ + k];
    }
}

// Triggers blocks that meet a patch whose mean has moved by half of what triggers, beside what most have.
void Gate::find_faint(const Limits& limits) {
    const size_t count = patch_bright_.size(), c = size_t(c_);
    if (!count) return;
    std::vector<int32_t> middle(c);
    for (size_t k = 0; k < c; k++) {
        order_.clear();
        for (size_t i = 0; i < count; i++) order_.push_back(patch_change_[i * c + k]);
        std::nth_element(order_.begin(), order_.begin() + int64_t((count - 1) / 2), order_.end());
        middle[k] = order_[(count - 1) / 2];
    }
    constexpr int64_t side = patch * gate_cell;  // pixels
    for (int64_t p = 0; p < patch_rows_; p++)
        for (int64_t q = 0; q < patch_columns_; q++) {
            const size_t i = size_t(p * patch_columns_ + q);
            int64_t beside = 0;
            for (size_t k = 0; k < c; k++)
                beside = std::max<int64_t>(beside, std::abs(int64_t(patch_change_[i * c + k]) - middle[k]));
            if (2 * beside <= patch * patch * limits.far[patch_bright_[i] >> 13]) continue;
            // The last patch may reach past the picture, as its cells do.
            const int64_t last_row = std::min(((p + 1) * side - 1) / rule_.block, rows_ - 1);
            const int64_t last_column = std::min(((q + 1) * side - 1) / rule_.block, columns_ - 1);
            for (int64_t y = p * side / rule_.block; y <= last_row; y++)
                for (int64_t x = q * side / rule_.block; x <= last_column; x++) triggered_[size_t(y * columns_ + x)] = 1;
        }
}

// The triggered blocks and those at most `margin` rows and columns away.
void Gate::dilate() {
    const auto widen = [&](const uint8_t* from, uint8_t* to, int64_t count, int64_t step) {
        int64_t next = -1;  // the first place that is not marked yet
        for (int64_t i = 0; i < count; i++) to[i * step] = 0;
        for (int64_t i = 0; i < count; i++) {
            if (!from[i * step]) continue;
            const int64_t last = std::min(i + rule_.margin, count - 1);
            for (int64_t k = std::max(next, std::max<int64_t>(i - rule_.margin, 0)); k <= last; k++) to[k * step] = 1;
            next = last + 1;
        }
    };
    for (int64_t y = 0; y < rows_; y++) widen(&triggered_[size_t(y * columns_)], &line_[size_t(y * columns_)], columns_, 1);
    for (int64_t x = 0; x < columns_; x++) widen(&line_[size_t(x)], &triggered_[size_t(x)], rows_, columns_);
}

void Gate::mark_due() {
    const int64_t frame = frames_ - 1, first = frame * rows_ / rule_.refresh, last = (frame + 1) * rows_ / rule_.refresh;
    for (int64_t turn = first; turn < std::min(last, first + rows_); turn++)
        std::memset(&blocks_[size_t(turn % rows_ * columns_)], 1, size_t(columns_));
}

// What is held takes the sums of the blocks that are computed anew.
void Gate::hold() {
    const int64_t each = rule_.block / gate_cell;
    for (int64_t row = 0; row < cell_rows_; row++) {
        const uint8_t* fresh = &blocks_[size_t(row / each * columns_)];
        const uint16_t* from = sums_.as<uint16_t>() + row * cell_columns_ * c_;
        uint16_t* to = held_.as<uint16_t>() + row * cell_columns_ * c_;
        for (int64_t b = 0, end; b < columns_; b = end) {
            for (end = b + 1; end < columns_ && fresh[end] == fresh[b];) end++;
            if (!fresh[b]) continue;
            const int64_t first = b * each * c_, last = std::min(end * each, cell_columns_) * c_;
            std::memcpy(to + first, from + first, size_t(last - first) * 2);
        }
    }
}

void Gate::learn_noise() {
    const double limit = double(most * rule_.floor * gate_cell * gate_cell) / rule_.trigger;
    for (int b = 0; b < bins; b++) {
        found_.clear();
        for (size_t i = 0; i < patch_moved_.size(); i++)
            if (patch_bright_[i] >> 13 == b && patch_moved_[i] > 0) found_.push_back(patch_moved_[i]);
        if (found_.size() < fewest) continue;
        const auto at = [&](size_t rank) {
            std::nth_element(found_.begin(), found_.begin() + int64_t(rank), found_.end());
            return found_[rank];
        };
        const int64_t low = at(found_.size() / 5), middle = at(found_.size() / 2);
        const double now = std::min(double(low) * mean_to_deviation / double(gate_cell * gate_cell * c_), limit);
        double& known = deviation_[b];
        if (known != unknown && now < known) known = now;
        else if (2 * middle <= 3 * low) known = known != unknown ? known + (now - known) / pace : now;
    }
}

// One cell at a time: what the kernels are compared with.
namespace reference {

void cell_sums(const uint8_t* const* rows, int64_t cells, int32_t channels, uint16_t* sums, uint16_t*) {
    for (int64_t i = 0; i < cells; i++)
        for (int32_t k = 0; k < channels; k++) {
            int sum = 0;
            for (int y = 0; y < gate_cell; y++)
                for (int x = 0; x < gate_cell; x++) sum += rows[y][(i * gate_cell + x) * channels + k];
            sums[i * channels + k] = uint16_t(sum);
        }
}

void cell_changes(const CellRow& row, uint16_t* largest, int16_t* change, uint16_t* moved) {
    for (int64_t i = 0; i < row.cells; i++) {
        int most = 0;
        for (int64_t k = i * row.channels; k < (i + 1) * row.channels; k++) {
            most = std::max(most, std::abs(row.sums[k] - row.held[k]));
            change[k] = int16_t(change[k] + row.sums[k] - row.held[k]);
            moved[k] = uint16_t(moved[k] + std::abs(row.sums[k] - row.before[k]));
        }
        largest[i] = uint16_t(most);
    }
}

}  // namespace reference
}  // namespace vq
