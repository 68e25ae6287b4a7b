// Long because one step is one thing: what its passes count, and what is decided by it.
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
constexpr double cut = 0.75, calm = 0.5, nearly = 0.9;
constexpr int64_t most = 4;
constexpr size_t fewest = 16, dark = 2;
constexpr double pace = 32, unknown = -1, mean_to_deviation = 1.2533141373155003;

int64_t up(int64_t length, int64_t by) { return (length + by - 1) / by; }

// Above which change of its sum a cell triggers, and above which it stirs, by brightness.
struct Limits {
    int64_t far[gate_bins], near[gate_bins];
};

// One step of the gate.
class GateStep : GateSizes {
public:
    GateStep(const GateSizes& sizes, const Kernels& kernels, const GateState& state, GateState& after)
        : GateSizes(sizes), kernels_(kernels), state_(state), after_(after) {}
    Gate::Found run(const uint8_t* picture, uint8_t* blocks);

private:
    void sum_cells(const uint8_t* picture, int64_t row);
    Limits limits() const;
    void compare_row(int64_t row, const Limits& limits);
    void fold_patches(int64_t row);
    void find_faint(const Limits& limits);
    void dilate();
    void mark_due(uint8_t* blocks) const;
    void hold(const uint8_t* blocks);
    void learn_noise();

    const Kernels& kernels_;
    const GateState& state_;
    GateState& after_;  // its `before` are the sums of this frame
    Memory scratch_, largest_, change_, moved_;  // of one row
    std::vector<int32_t> patch_change_, patch_bright_;
    std::vector<int64_t> patch_moved_;
    std::vector<uint8_t> triggered_, stirs_;  // by block
};


Gate::Found GateStep::run(const uint8_t* picture, uint8_t* blocks) {
    const size_t row = size_t(cell_columns * c), cells = size_t(cell_rows) * row, count = size_t(rows * columns);
    scratch_ = Memory::of<uint16_t>((row + 2 * size_t(c)) * gate_cell);
    after_.before = Memory::of<uint16_t>(cells), after_.held = Memory::of<uint16_t>(cells);
    for (int64_t y = 0; y < cell_rows; y++) sum_cells(picture, y);
    std::memset(blocks, 1, count);
    after_.frames = state_.frames + 1, after_.cells = state_.cells;
    after_.since = state_.since, after_.still = state_.still;
    std::copy(state_.deviation, state_.deviation + gate_bins, after_.deviation);
    if (!state_.frames) {
        hold(blocks);
        after_.last = GateState::Last::whole;
        return {true, false};
    }
    largest_ = Memory::of<uint16_t>(size_t(cell_columns));
    change_ = Memory::of<int16_t>(row), moved_ = Memory::of<uint16_t>(row);
    const size_t patches = size_t(patch_rows * patch_columns);
    patch_change_.resize(patches * size_t(c)), patch_bright_.resize(patches), patch_moved_.resize(patches);
    triggered_.resize(count), stirs_.resize(count);
    const Limits found = limits();
    for (int64_t y = 0; y < cell_rows; y++) compare_row(y, found);
    find_faint(found);
    dilate();

    using Last = GateState::Last;
    const auto triggered = std::count(triggered_.begin(), triggered_.end(), uint8_t(1));
    const bool much = double(triggered) / double(count) >= (state_.last == Last::region ? cut : calm);
    const bool whole = much || state_.last == Last::moving, moving = much && state_.last != Last::region;
    after_.last = moving ? Last::moving : whole ? Last::whole : Last::region;
    for (size_t i = 0; i < count; i++) {
        int32_t &since = after_.since[i], &still = after_.still[i];
        since = much ? old : triggered_[i] ? 0 : std::min(since + 1, old);
        // What rests is not woken by what stirs.
        still = triggered_[i] || (stirs_[i] && still <= rule.rest) ? 0 : std::min(still + 1, old);
        if (!whole) blocks[i] = (since <= rule.memory) & (still <= rule.rest);
    }
    if (!whole) mark_due(blocks);
    const bool all = whole || double(std::count(blocks, blocks + count, uint8_t(1))) / double(count) >= nearly;
    if (all) std::memset(blocks, 1, count);
    hold(blocks);
    learn_noise();
    return {all, moving};
}

// A cell that is cut off at the edge repeats the last row and column.
void GateStep::sum_cells(const uint8_t* picture, int64_t row) {
    const uint8_t* rows[gate_cell];
    for (int64_t k = 0; k < gate_cell; k++) rows[k] = picture + std::min(row * gate_cell + k, h - 1) * w * c;
    uint16_t* sums = after_.before.as<uint16_t>() + row * cell_columns * c;
    const int64_t whole = w / gate_cell;
    if (whole) kernels_.cell_sums(rows, whole, c, sums, scratch_.as<uint16_t>());
    if (whole == cell_columns) return;
    for (int32_t k = 0; k < c; k++) {
        int sum = 0;
        for (const uint8_t* pixels : rows)
            for (int64_t x = whole * gate_cell; x < (whole + 1) * gate_cell; x++)
                sum += pixels[std::min(x, w - 1) * c + k];
        sums[whole * c + k] = uint16_t(sum);
    }
}

Limits GateStep::limits() const {
    Limits found;
    const int64_t floor = rule.floor * gate_cell * gate_cell;
    double nearest = 0;  // of a darker bin, or else the first that is known
    for (int b = gate_bins - 1; b >= 0; b--) nearest = state_.deviation[b] != unknown ? state_.deviation[b] : nearest;
    for (int b = 0; b < gate_bins; b++) {
        nearest = state_.deviation[b] != unknown ? state_.deviation[b] : nearest;
        const auto by_noise = int64_t(std::floor(std::min(rule.trigger * nearest, double(most * floor))));
        found.far[b] = std::max(by_noise, floor), found.near[b] = std::max(by_noise * 2 / 3, floor / 4);
    }
    return found;
}

// Marks the blocks whose cells trigger or stir, and adds up patches.
void GateStep::compare_row(int64_t row, const Limits& limits) {
    const int64_t at = row * cell_columns * c;
    if (row % patch == 0) {
        std::memset(change_.as<char>(), 0, change_.bytes());
        std::memset(moved_.as<char>(), 0, moved_.bytes());
    }
    const CellRow cells{after_.before.as<uint16_t>() + at, state_.held.as<uint16_t>() + at,
                        state_.before.as<uint16_t>() + at, cell_columns, c};
    uint16_t* largest = largest_.as<uint16_t>();
    kernels_.cell_changes(cells, largest, change_.as<int16_t>(), moved_.as<uint16_t>());
    const int64_t each = rule.block / gate_cell;
    uint8_t *triggered = &triggered_[size_t(row / each * columns)], *stirs = &stirs_[size_t(row / each * columns)];
    const uint16_t* bright = cells.held + c / 2;
    for (int64_t b = 0, i = 0; b < columns; b++) {
        uint8_t far = 0, near = 0;
        for (const int64_t end = std::min(i + each, cell_columns); i < end; i++) {
            const int bin = bright[i * c] >> 9;
            far |= largest[i] > limits.far[bin], near |= largest[i] > limits.near[bin];
        }
        triggered[b] |= far, stirs[b] |= near;
    }
    if (row < patch_rows * patch) fold_patches(row);
}

void GateStep::fold_patches(int64_t row) {
    const int64_t first = row / patch * patch_columns;
    const uint16_t* bright = state_.held.as<uint16_t>() + row * cell_columns * c + c / 2;
    for (int64_t q = 0; q < patch_columns; q++) {
        int32_t sum = row % patch ? patch_bright_[size_t(first + q)] : 0;
        for (int64_t x = q * patch; x < (q + 1) * patch; x++) sum += bright[x * c];
        patch_bright_[size_t(first + q)] = sum;
    }
    if (row % patch != patch - 1) return;
    for (int64_t q = 0; q < patch_columns; q++) {
        const int16_t* change = change_.as<int16_t>() + q * patch * c;
        const uint16_t* moved = moved_.as<uint16_t>() + q * patch * c;
        int64_t sum = 0;
        for (int64_t k = 0; k < patch * c; k++) sum += moved[k];
        patch_moved_[size_t(first + q)] = sum;
        for (int32_t k = 0; k < c; k++)
            patch_change_[size_t((first + q) * c + k)] =
                change[k] + change[c + k] + change[2 * c + k] + change[3 * c + k];
    }
}

// Triggers blocks that meet a patch whose mean has moved by a part of what triggers, beside most of its brightness.
void GateStep::find_faint(const Limits& limits) {
    const size_t channels = size_t(c);
    std::vector<int32_t> middle(gate_bins * channels), order;
    order.reserve(patch_bright_.size());
    for (int b = 0; b < gate_bins; b++)
        for (size_t k = 0; k < channels; k++) {
            order.clear();
            for (size_t i = 0; i < patch_bright_.size(); i++)
                if (patch_bright_[i] >> 13 == b) order.push_back(patch_change_[i * channels + k]);
            if (order.empty()) break;
            const auto at = order.begin() + int64_t((order.size() - 1) / 2);
            std::nth_element(order.begin(), at, order.end());
            middle[size_t(b) * channels + k] = *at;
        }
    constexpr int64_t side = patch * gate_cell;  // pixels
    for (int64_t p = 0; p < patch_rows; p++)
        for (int64_t q = 0; q < patch_columns; q++) {
            const size_t i = size_t(p * patch_columns + q), bin = size_t(patch_bright_[i] >> 13);
            int64_t beside = 0;
            for (size_t k = 0; k < channels; k++) {
                const int32_t by = patch_change_[i * channels + k] - middle[bin * channels + k];
                beside = std::max<int64_t>(beside, std::abs(by));
            }
            if ((bin < dark ? 3 : 2) * beside <= patch * patch * limits.far[bin]) continue;
            // The last patch may reach past the picture, as its cells do.
            const int64_t last_row = std::min(((p + 1) * side - 1) / rule.block, rows - 1);
            const int64_t last_column = std::min(((q + 1) * side - 1) / rule.block, columns - 1);
            for (int64_t y = p * side / rule.block; y <= last_row; y++)
                for (int64_t x = q * side / rule.block; x <= last_column; x++) triggered_[size_t(y * columns + x)] = 1;
        }
}

// The triggered blocks and those at most `margin` rows and columns away.
void GateStep::dilate() {
    std::vector<uint8_t> line(triggered_.size());
    const auto widen = [&](const uint8_t* from, uint8_t* to, int64_t count, int64_t step) {
        int64_t next = -1;  // the first place that is not marked yet
        for (int64_t i = 0; i < count; i++) to[i * step] = 0;
        for (int64_t i = 0; i < count; i++) {
            if (!from[i * step]) continue;
            const int64_t last = std::min(i + rule.margin, count - 1);
            for (int64_t k = std::max(next, std::max<int64_t>(i - rule.margin, 0)); k <= last; k++) to[k * step] = 1;
            next = last + 1;
        }
    };
    for (int64_t y = 0; y < rows; y++) widen(&triggered_[size_t(y * columns)], &line[size_t(y * columns)], columns, 1);
    for (int64_t x = 0; x < columns; x++) widen(&line[size_t(x)], &triggered_[size_t(x)], rows, columns);
}

// The rows of blocks whose turn it is: each has one in every `refresh` frames.
void GateStep::mark_due(uint8_t* blocks) const {
    const int64_t first = state_.frames * rows / rule.refresh, last = (state_.frames + 1) * rows / rule.refresh;
    for (int64_t turn = first; turn < std::min(last, first + rows); turn++)
        std::memset(blocks + turn % rows * columns, 1, size_t(columns));
}

// What is held takes the sums of the blocks that are computed anew.
void GateStep::hold(const uint8_t* blocks) {
    const int64_t each = rule.block / gate_cell;
    for (int64_t row = 0; row < cell_rows; row++) {
        const uint8_t* fresh = blocks + row / each * columns;
        for (int64_t b = 0, end; b < columns; b = end) {
            for (end = b + 1; end < columns && fresh[end] == fresh[b];) end++;
            const int64_t first = (row * cell_columns + b * each) * c;
            const int64_t last = (row * cell_columns + std::min(end * each, cell_columns)) * c;
            const uint16_t* from = (fresh[b] ? after_.before : state_.held).as<uint16_t>();
            std::memcpy(after_.held.as<uint16_t>() + first, from + first, size_t(last - first) * 2);
        }
    }
}

void GateStep::learn_noise() {
    const double limit = double(most * rule.floor * gate_cell * gate_cell) / rule.trigger;
    std::vector<int64_t> found;
    found.reserve(patch_moved_.size());
    for (int b = 0; b < gate_bins; b++) {
        found.clear();
        for (size_t i = 0; i < patch_moved_.size(); i++)
            if (patch_bright_[i] >> 13 == b && patch_moved_[i] > 0) found.push_back(patch_moved_[i]);
        if (found.size() < fewest) continue;
        const auto at = [&](size_t rank) {
            std::nth_element(found.begin(), found.begin() + int64_t(rank), found.end());
            return found[rank];
        };
        const int64_t low = at(found.size() / 5), middle = at(found.size() / 2);
        const double now = std::min(double(low) * mean_to_deviation / double(gate_cell * gate_cell * c), limit);
        double& known = after_.deviation[b];
        if (known != unknown && now < known) known = now;
        else if (2 * middle <= 3 * low) known = known != unknown ? known + (now - known) / pace : now;
    }
}

}  // namespace

Gate::Gate(const GateRule& rule, int64_t h, int64_t w, int32_t c, const Kernels& kernels) : kernels_(kernels) {
    if (h < 1 || w < 1 || c < 1 || h > 1 << 20 || w > 1 << 20 || c > 1 << 10 || h * w > int64_t(1) << 31)
        throw std::invalid_argument("a gate is for pictures of 1 to 1048576 rows and columns");
    if (!(rule.trigger > 0 && std::isfinite(rule.trigger)) || rule.floor < 1 || rule.floor > 255 || rule.margin < 0 ||
        rule.memory < 1 || rule.rest < 0 || rule.refresh < 1 || rule.block % gate_cell || rule.block < 8 ||
        rule.block > 64)
        throw std::invalid_argument("a gate's rule is out of range");
    const int64_t cell_rows = up(h, gate_cell), cell_columns = up(w, gate_cell);
    sizes_ = {rule, h, w, c, up(h, rule.block), up(w, rule.block), cell_rows, cell_columns,
              cell_rows / patch, cell_columns / patch};
}

GateState Gate::first() const {
    GateState state;
    state.cells = sizes_.cell_rows * sizes_.cell_columns * sizes_.c;
    for (auto* of : {&state.since, &state.still}) of->assign(size_t(sizes_.rows * sizes_.columns), old);
    std::fill(state.deviation, state.deviation + gate_bins, unknown);
    return state;
}

Gate::Found Gate::step(const GateState& state, const uint8_t* picture, GateState& after, uint8_t* blocks) const {
    return GateStep(sizes_, kernels_, state, after).run(picture, blocks);
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
