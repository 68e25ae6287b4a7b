#include "session.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>

namespace vq {
namespace {

constexpr int64_t grain = 24;  // pixels: whole tiles of 6, 8 and 12

int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// Of a convolution, what one output pixel costs at most, in groups of 4 input channels.
int64_t groups_of(const Op& op, const Slot& in) {
    return int64_t(op.parts[0].dy.size()) * ((in.c / op.groups + 3) / 4);
}

// The taps and weights of a convolution for its input's sparse part, if it has one.
SparseTaps sparse_taps(const Op& op, const Part& part, int32_t in_channels) {
    SparseTaps s;
    s.taps = int32_t(part.sparse_dy.size()), s.dy = part.sparse_dy.data(), s.dx = part.sparse_dx.data();
    if (!s.taps) return s;
    s.weight = part.sparse_weight.as<float>(), s.row = part.sparse_row;
    s.in_each = in_channels / op.groups, s.out_each = op.c / op.groups;
    s.scale = op.scale.as<float>();
    return s;
}

}  // namespace

Session::Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, std::shared_ptr<Threads> threads, bool incremental)
    : plan_(std::move(plan)), kernels_(kernels), threads_(std::move(threads)), incremental_(incremental), grids_(plan_->grids),
      grid_changed_(plan_->grids.size(), 0), grid_users_(plan_->grids.size()), features_(kernels, threads_.get()) {
    place_slots();
    int64_t most_pixels = 1, widest = 1;
    for (const Slot& slot : plan_->slots) {
        most_pixels = std::max(most_pixels, slot.pixels());
        widest = std::max(widest, int64_t(slot.w));
    }
    states_.resize(plan_->slots.size());
    lists_.resize(plan_->slots.size());
    for (size_t s = 0; s < lists_.size(); s++) {
        const Slot& slot = plan_->slots[s];
        if (!slot.sparse) continue;
        if (incremental_) throw std::invalid_argument("a plan of Dense + Sparse runs in mode frame only");
        lists_[s] = SparseList(slot.w, slot.c, slot.pixels());
        bytes_ += lists_[s].bytes();
    }
    for (const auto& [name, ops] : plan_->programs) {
        programs_.emplace_back(ops.size());
        work_.emplace_back(ops.size());
        for (size_t i = 0; i < ops.size(); i++) {
            bind(ops[i], programs_.back()[i]);
            programs_.back()[i].joined = joins_pool(ops, i);
        }
    }
    if (!incremental_) return;
    const int64_t margin = 8192;
    map_ = Memory::of<uint16_t>(size_t(most_pixels) + 64);
    scratch_ = Memory::of<uint16_t>(size_t(widest + 2 * margin));
    low_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    high_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    merged_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    for (size_t s = 0; s < states_.size(); s++) {
        const Slot& slot = plan_->slots[s];
        if (!data_[s]) continue;
        states_[s].moved = Memory::of<uint16_t>(size_t(slot.pixels()));
        bytes_ += states_[s].moved.bytes();
        if (!slot.codes) continue;
        states_[s].delta = Memory(slot.bytes());
        bytes_ += states_[s].delta.bytes();
    }
    bytes_ += map_.bytes() + scratch_.bytes() + low_.bytes() + high_.bytes() + merged_.bytes();
}

// Buffers of values that are never needed at once share memory; in a stream that follows changes all must stay.
void Session::place_slots() {
    const size_t count = plan_->slots.size();
    std::vector<int64_t> first(count, -1), last(count, -1);
    std::vector<bool> stays(count, false);
    std::vector<bool> joined(count, false);
    int64_t time = 0;
    for (const auto& [name, ops] : plan_->programs) {
        std::vector<bool> written(count, false);
        const auto touch = [&](int32_t slot, bool writes) {
            if (slot < 0) return;
            const size_t s = size_t(slot);
            if (first[s] < 0) first[s] = time;
            last[s] = time;
            if (writes) written[s] = true;
            else if (!written[s]) stays[s] = true;  // what an earlier frame or program left
        };
        for (size_t i = 0; i < ops.size(); i++) {
            const Op& op = ops[i];
            for (const int32_t input : op.inputs) touch(input, false);
            for (const StepPlan& step : op.steps) {
                touch(step.operand, false);
                touch(step.reference, false);
                if (step.reference >= 0) stays[size_t(step.reference)] = true;
                touch(step.slot, true);
                touch(step.staged, true);
            }
            // A convolution that runs together with the pool behind it shares that operator's time.
            if (joins_pool(ops, i)) joined[size_t(op.steps.back().slot)] = true;
            else time++;
        }
    }
    for (size_t s = 0; s < count; s++)
        if (plan_->slots[s].keep || (incremental_ && first[s] >= 0)) stays[s] = true;
    for (const auto& [name, slot] : plan_->outputs) stays[size_t(slot)] = true;

    // Largest first, each at the lowest place that is free while it lives.
    struct Placed { int64_t first, last, begin, end; };
    std::vector<Placed> placed;
    std::vector<int64_t> offset(count, -1);
    std::vector<size_t> order;
    for (size_t s = 0; s < count; s++)
        if (!stays[s] && !joined[s] && first[s] >= 0) order.push_back(s);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const size_t x = plan_->slots[a].bytes(), y = plan_->slots[b].bytes();
        return x != y ? x > y : a < b;
    });
    int64_t total = 0;
    for (const size_t s : order) {
        const int64_t size = round_up(int64_t(plan_->slots[s].bytes() + slack), 64);
        std::vector<std::pair<int64_t, int64_t>> taken;
        for (const Placed& p : placed)
            if (p.first <= last[s] && first[s] <= p.last) taken.emplace_back(p.begin, p.end);
        std::sort(taken.begin(), taken.end());
        int64_t at = 0;
        for (const auto& [begin, end] : taken) {
            if (at + size <= begin) break;
            at = std::max(at, end);
        }
        placed.push_back({first[s], last[s], at, at + size});
        offset[s] = at;
        total = std::max(total, at + size);
    }
    data_.assign(count, nullptr);
    memory_.reserve(count + 1);
    memory_.emplace_back(size_t(total));
    for (size_t s = 0; s < count; s++) {
        if (offset[s] >= 0) data_[s] = memory_[0].as<char>() + offset[s];
        else if (joined[s] || (first[s] < 0 && !stays[s])) data_[s] = nullptr;  // no one needs it
        else {
            memory_.emplace_back(plan_->slots[s].bytes());
            data_[s] = memory_.back().as<void>();
        }
    }
    for (const Memory& memory : memory_) bytes_ += memory.bytes();
}

// Whether operator i is a convolution whose result goes to the pool behind it and nowhere else. Then the two run
// together, a few rows at a time, and the whole map, often the largest of a network, is never stored.
bool Session::joins_pool(const std::vector<Op>& ops, size_t i) const {
    if (i + 1 >= ops.size() || ops[i].kind != Kind::conv || ops[i].parts.size() != 1 ||
        ops[i].parts[0].step_y != 1 || ops[i + 1].kind != Kind::pool || ops[i + 1].pool.dilation_y != 1 ||
        ops[i + 1].pool.kernel_h > 8 ||  // a window as high as the map would need all of it
        ops[i].steps.empty() || ops[i].steps.back().step.kind != Do::store)
        return false;
    const int32_t slot = ops[i].steps.back().slot;
    if (ops[i + 1].inputs[0] != slot || plan_->slots[size_t(slot)].keep) return false;
    for (const auto& [name, output] : plan_->outputs)
        if (output == slot) return false;
    int uses = 0;
    for (const auto& [name, all] : plan_->programs)
        for (const Op& op : all) {
            for (const int32_t input : op.inputs) uses += input == slot;
            for (const StepPlan& step : op.steps) uses += (step.slot == slot) + (step.operand == slot) + (step.reference == slot);
        }
    return uses == 2;
}

// Computes the rows of the pool that the spans (first, last + 1) name.
void Session::run_joined(Bound& conv, Bound& pool, const std::vector<std::pair<int32_t, int32_t>>& spans) {
    const Op& op = *conv.op;
    const Pool& p = pool.pool;
    const int64_t row = int64_t(op.w) * op.c;
    // As many rows at once as half a typical L2 cache holds, but whole windows.
    const int64_t rows = std::max<int64_t>(1, (int64_t(512) << 10) / (row * 4 * p.stride_y));
    const int64_t height = (rows - 1) * p.stride_y + p.kernel_h + p.stride_y;
    if (stripes_.empty() || stripes_[0].bytes() < size_t(height * row) * 4 + slack) {
        for (const Memory& stripe : stripes_) bytes_ -= stripe.bytes();
        stripes_.clear();
        free_stripes_.clear();
        for (int t = 0; t < threads_->count(); t++) {
            stripes_.push_back(Memory::of<float>(size_t(height * row)));
            free_stripes_.push_back(stripes_.back().as<float>());
            bytes_ += stripes_.back().bytes();
        }
    }
    std::vector<std::pair<int32_t, int32_t>> tasks;
    const int32_t each = threads_->count() == 1 ? pool.op->h : std::max(1, pool.op->h / (threads_->count() * 4));
    for (const auto& [first, last] : spans)
        for (int32_t y = first; y < last; y += each) tasks.emplace_back(y, std::min(last, y + each));
    threads_->run(int64_t(tasks.size()), [&](int64_t task) {
        float* stripe;
        {
            std::lock_guard<std::mutex> lock(stripes_mutex_);
            stripe = free_stripes_.back();
            free_stripes_.pop_back();
        }
        std::vector<Step> steps = conv.steps;
        Conv c = conv.convs[0];
        c.program.steps = steps.data();
        Pool q = p;
        int64_t have = -1, end = -1;  // the rows of the map that lie in the stripe
        const int64_t last = tasks[size_t(task)].second;
        for (int64_t y = tasks[size_t(task)].first; y < last; y += rows) {
            const int64_t stop = std::min(last, y + rows);
            const int64_t from = std::max<int64_t>(0, y * p.stride_y - p.top);
            const int64_t to = std::min<int64_t>(op.h, (stop - 1) * p.stride_y - p.top + p.kernel_h);
            const int64_t kept = std::max<int64_t>(0, end - from);
            if (have >= 0 && kept > 0) std::memmove(stripe, stripe + (from - have) * row, size_t(kept * row) * 4);
            // Pixel numbers stay those of the whole map; it begins above the stripe.
            float* map = stripe - from * row;
            steps.back().out.data = map;
            q.in.data = map;
            kernels_->conv(c, {nullptr, (have >= 0 ? std::max(from, end) : from) * op.w, to * op.w});
            kernels_->pool(q, {nullptr, y * pool.op->w, stop * pool.op->w});
            have = from;
            end = to;
        }
        std::lock_guard<std::mutex> lock(stripes_mutex_);
        free_stripes_.push_back(stripe);
    });
}

Tensor Session::tensor(int32_t index) const {
    const Slot& slot = plan_->slots[size_t(index)];
    return {data_[size_t(index)], slot.h, slot.w, slot.c, slot.stride()};
}

void Session::bind(const Op& op, Bound& b) {
    b.op = &op;
    for (const int32_t input : op.inputs) b.inputs.push_back(tensor(input));
    for (const StepPlan& plan : op.steps) {
        Step step = plan.step;
        step.channel_a = plan.channel_a ? plan.channel_a.as<float>() : nullptr;
        step.channel_b = plan.channel_b ? plan.channel_b.as<float>() : nullptr;
        if (plan.operand >= 0) step.operand = static_cast<float*>(data_[size_t(plan.operand)]);
        else if (step.kind >= Do::add && step.kind <= Do::rdiv) step.operand = step.channel_a;
        if (plan.slot >= 0) step.out = tensor(plan.slot);
        if (plan.reference >= 0) step.reference = tensor(plan.reference);
        if (plan.staged >= 0)
            step.staged = staged_in(data_[size_t(plan.staged)], int64_t(op.h) * op.w, op.c);
        b.steps.push_back(step);
    }
    const Program program{b.steps.data(), int32_t(b.steps.size()), op.c};
    Tensor out;
    out.h = op.h, out.w = op.w, out.c = op.c;
    const Tensor in = b.inputs.empty() ? Tensor() : b.inputs[0];
    std::set<int32_t> rows, columns;
    for (const Part& part : op.parts) {
        rows.insert(part.dy.begin(), part.dy.end());
        columns.insert(part.dx.begin(), part.dx.end());
    }
    switch (op.kind) {
        case Kind::conv: {
            // Whole vectors; those of a group of output channels may reach past it.
            b.accumulator_stride = round_up(op.c, 16) + (op.groups > 1 ? 64 : 0);
            b.scale = Memory::of<float>(size_t(op.c) + 128);
            b.zeros = Memory(size_t(in.stride) + 64);
            for (const Part& part : op.parts) {
                b.starts.push_back(Memory::of<int32_t>(size_t(op.c) + 128));
                Conv c;
                c.in = in, c.out = out;
                c.taps = int32_t(part.dy.size()), c.dy = part.dy.data(), c.dx = part.dx.data();
                c.stride_y = op.stride_y, c.stride_x = op.stride_x;
                c.step_y = part.step_y, c.step_x = part.step_x, c.phase_y = part.phase_y, c.phase_x = part.phase_x;
                c.blocks = part.blocks.data(), c.block_count = int32_t(part.blocks.size());
                c.zeros = b.zeros.as<uint8_t>(), c.start = b.starts.back().as<int32_t>();
                c.scale = b.scale.as<float>(), c.bias = op.bias.as<float>();
                c.sparse = sparse_taps(op, part, in.c);
                c.program = program;
                b.convs.push_back(c);
            }
            break;
        }
        case Kind::depthwise: {
            b.scale = Memory::of<float>(size_t(op.c) + 128);
            b.zeros = Memory(size_t(in.stride) + 64);
            b.starts.push_back(Memory::of<int32_t>(size_t(op.c) + 128));
            const Part& part = op.parts[0];
            Depthwise& d = b.depthwise;
            d.in = in, d.out = out;
            d.taps = int32_t(part.dy.size()), d.dy = part.dy.data(), d.dx = part.dx.data();
            d.stride_y = op.stride_y, d.stride_x = op.stride_x;
            d.weight = part.flat.as<int8_t>(), d.interleaved = part.interleaved.as<int8_t>();
            d.zeros = b.zeros.as<uint8_t>(), d.start = b.starts[0].as<int32_t>();
            d.scale = b.scale.as<float>(), d.bias = op.bias.as<float>();
            d.sparse = sparse_taps(op, part, in.c);
            d.program = program;
            break;
        }
        case Kind::float_conv:
            for (const Part& part : op.parts) {
                FloatConv c;
                c.in = in, c.out = out;
                c.taps = int32_t(part.dy.size()), c.dy = part.dy.data(), c.dx = part.dx.data();
                c.stride_y = op.stride_y, c.stride_x = op.stride_x;
                c.step_y = part.step_y, c.step_x = part.step_x, c.phase_y = part.phase_y, c.phase_x = part.phase_x;
                c.groups = op.groups, c.weight = part.flat.as<float>(), c.bias = op.bias.as<float>();
                c.program = program;
                b.float_convs.push_back(c);
            }
            break;
        case Kind::map: b.map = {in, out, program}; break;
        case Kind::dequantize: b.dequantize = {in, out, Grid(), Sparse(), program}; break;
        case Kind::pool:
            b.pool = op.pool;
            b.pool.in = in, b.pool.out = out, b.pool.program = program;
            for (int32_t k = 0; k < op.pool.kernel_h; k++) rows.insert(k * op.pool.dilation_y - op.pool.top);
            for (int32_t k = 0; k < op.pool.kernel_w; k++) columns.insert(k * op.pool.dilation_x - op.pool.left);
            break;
        case Kind::adaptive_pool: b.adaptive = {in, out, program}; break;
        case Kind::resize:
            b.resize = op.resize;
            b.resize.in = in, b.resize.out = out, b.resize.program = program;
            break;
        case Kind::move:
        case Kind::constant:
            b.move = op.move;
            if (op.kind == Kind::constant) {  // a concatenation of one
                b.inputs = {Tensor{op.constant.as<float>(), op.h, op.w, op.c, op.c}};
                b.move = Move();
            }
            b.move.in = b.inputs.data(), b.move.inputs = int32_t(b.inputs.size());
            b.move.out = out, b.move.program = program;
            break;
        case Kind::softmax: b.softmax = {in, out, program}; break;
        case Kind::sparse: break;
    }
    b.rows.assign(rows.begin(), rows.end());
    b.columns.assign(columns.begin(), columns.end());
    b.direct = op.kind == Kind::map && op.inputs[0] == 0 && op.c <= 4 && op.steps.size() == 1 &&
               op.steps[0].step.kind == Do::store_codes && !op.steps[0].step.sparse;
    if (op.kind == Kind::conv) states_[size_t(op.inputs[0])].convolutions.push_back(&b);
    if (op.grid >= 0) grid_users_[size_t(op.grid)].push_back(&b);
    for (const StepPlan& step : op.steps)
        if (step.grid >= 0) grid_users_[size_t(step.grid)].push_back(&b);
    bytes_ += b.scale.bytes() + b.zeros.bytes();
    for (const Memory& start : b.starts) bytes_ += start.bytes();
}

// Gathers a sparse part, and shows it to the operators that read it: its memory moves when it grows.
void Session::gather(const Bound& b) {
    const int32_t slot = b.op->inputs[0];
    const Staged staged = staged_in(data_[size_t(slot)], b.inputs[0].pixels(), b.op->c);
    SparseList& list = lists_[size_t(slot)];
    bytes_ -= list.bytes();
    const SparseCopy copy = list.count(staged);
    bytes_ += list.bytes();
    spread({nullptr, 0, b.inputs[0].pixels()}, 1024, [&](Pixels part) { kernels_->copy_sparse(copy, part.begin, part.end); });
    for (std::vector<Bound>& program : programs_)
        for (Bound& reader : program) {
            if (reader.op->sparse != slot) continue;
            for (Conv& conv : reader.convs) conv.sparse.input = list.view();
            reader.depthwise.sparse.input = reader.dequantize.sparse = list.view();
        }
}

// Takes the grids as they are now.
void Session::prepare(Bound& b) {
    const Op& op = *b.op;
    for (size_t i = 0; i < b.steps.size(); i++)
        if (op.steps[i].grid >= 0) b.steps[i].grid = grids_[size_t(op.steps[i].grid)];
    if (op.grid >= 0) {
        const Grid& grid = grids_[size_t(op.grid)];
        b.dequantize.grid = grid;
        if (op.kind != Kind::dequantize) {
            for (int32_t c = 0; c < op.c; c++) b.scale.as<float>()[c] = grid.scale * op.scale.as<float>()[c];
            for (size_t p = 0; p < op.parts.size(); p++) {
                const int32_t* sums = op.parts[p].sums.as<int32_t>();
                for (int32_t c = 0; c < op.c; c++) b.starts[p].as<int32_t>()[c] = -grid.zero * sums[c];
            }
            std::memset(b.zeros.as<uint8_t>(), grid.zero, size_t(b.inputs[0].stride));
        }
    }
    b.stale = false;
}

void Session::set_grid(int32_t index, const Grid& grid) {
    Grid& old = grids_[size_t(index)];
    if (old.scale == grid.scale && old.zero == grid.zero && old.low == grid.low && old.high == grid.high) return;
    old = grid;
    if (compact_) compact_->set_grid(index, grid);
    grid_changed_[size_t(index)] = 1;
    for (Bound* b : grid_users_[size_t(index)]) b->stale = true;
}

std::vector<double> Session::predict(const Predictions& predictions, Sampled sampled) {
    sampled.rows = predictions.steps[0], sampled.columns = predictions.steps[1], sampled.channels = predictions.steps[2];
    bytes_ -= features_.bytes();
    std::vector<double> found = features_.take(sampled, predictions.features);
    bytes_ += features_.bytes();
    for (const Predicted& predicted : predictions.grids) set_grid(predicted.index, predicted.grid(found));
    return found;
}

const uint16_t* Session::moved(int32_t slot) const {
    const State& state = states_[size_t(slot)];
    return !incremental_ || pace_.full || state.all ? nullptr : state.moved.as<uint16_t>();
}

const std::vector<std::pair<int64_t, How>>& Session::work(const std::vector<Op>& program) const {
    for (size_t i = 0; i < programs_.size(); i++)
        if (&plan_->programs[i].second == &program) return work_[i];
    throw std::invalid_argument("not a program of this plan");
}

void Session::run(const std::vector<Op>& program, const float* input, int64_t first, int64_t last) {
    const size_t which = size_t(&work(program) - work_.data());
    std::vector<Bound>& bounds = programs_[which];
    if ((first > 0 && bounds[size_t(first) - 1].joined) || (last > first && bounds[size_t(last) - 1].joined))
        throw std::invalid_argument("a convolution and the pool behind it run together; do not stop between them");
    current_work_ = &work_[which];
    input_ = input;
    const auto start = std::chrono::steady_clock::now();
    const auto finish = [&] {
        pace_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (last != int64_t(bounds.size())) return;
        std::fill(grid_changed_.begin(), grid_changed_.end(), uint8_t(0));
        if (incremental_) set_pace();
    };
    if (first == 0) {
        macs_done_ = macs_dense_ = 0;
        pace_.seconds = pace_.cost = pace_.dense_cost = 0;
        if (incremental_) {
            if (calmer()) {  // look at everything again
                for (State& state : states_) state.skip = 0, state.backoff = 1;
                if (pace_.dense > 0) pace_.left = 0;
            }
            pace_.full = pace_.left > 0 && !pace_.always;
        }
        if (!pace_.full) take_input(bounds);
    }
    if (pace_.full) {
        if (!compact_) {
            compact_.reset(new Session(plan_, kernels_, threads_, false));
            for (size_t g = 0; g < grids_.size(); g++) compact_->set_grid(int32_t(g), grids_[g]);
        }
        compact_->run(program, input, first, last);
        for (int64_t i = first; i < last; i++) (*current_work_)[size_t(i)] = {bounds[size_t(i)].op->macs, How::dense};
        macs_done_ = compact_->macs_done_, macs_dense_ = compact_->macs_dense_;
        fresh_ = true;
        return finish();
    }
    for (int64_t i = first; i < last; i++) {
        Bound& b = bounds[size_t(i)];
        if (b.stale) prepare(b);
        if (b.direct) b.map.in.data = const_cast<float*>(input_);
        work_of(b) = {b.op->macs, How::dense};
        if (b.joined) {
            Bound& pool = bounds[size_t(++i)];
            if (pool.stale) prepare(pool);
            work_of(pool) = {0, How::dense};
            if (incremental_) follow_joined(b, pool);
            else run_joined(b, pool, {{0, pool.op->h}});
        } else if (incremental_) run_following(b);
        else run_dense(b, {nullptr, 0, int64_t(b.op->h) * b.op->w});
        macs_done_ += work_of(b).first;
        macs_dense_ += b.op->macs;
    }
    finish();
}

// Where an operator reads the input itself, or as an operand, it must lie in slot 0.
void Session::take_input(const std::vector<Bound>& bounds) {
    const Slot& slot = plan_->slots[0];
    bool copy = false;
    for (const Bound& b : bounds) {
        for (const int32_t in : b.op->inputs) copy |= in == 0 && !b.direct;
        for (const StepPlan& step : b.op->steps) copy |= step.operand == 0;
    }
    if (!copy) return;
    states_[0].all = true;
    if (incremental_ && !pace_.full) {  // find out which pixels changed
        states_[0].all = false;
        uint16_t* moved = states_[0].moved.as<uint16_t>();
        const float* old = static_cast<float*>(data_[0]);
        const size_t bytes = size_t(slot.c) * 4;
        for (int64_t p = 0; p < slot.pixels(); p++)
            moved[p] = std::memcmp(old + p * slot.c, input_ + p * slot.c, bytes) != 0;
    }
    std::memcpy(data_[0], input_, slot.bytes());
}

std::pair<int64_t, How>& Session::work_of(const Bound& b) {
    return (*current_work_)[size_t(&b - programs_[size_t(current_work_ - work_.data())].data())];
}

// Whether much less of the input changed than in the frame before, by a sample of its pixels.
bool Session::calmer() {
    const Slot& slot = plan_->slots[0];
    const int64_t every = std::max<int64_t>(1, slot.pixels() / 4096) | 1;
    const size_t count = size_t((slot.pixels() + every - 1) / every * slot.c);
    const bool first = sample_.empty();
    sample_.resize(count);
    int64_t changed = 0, seen = 0;
    for (int64_t p = 0; p < slot.pixels(); p += every, seen++) {
        float* old = sample_.data() + seen * slot.c;
        const float* now = input_ + p * slot.c;
        const size_t bytes = size_t(slot.c) * 4;
        changed += std::memcmp(old, now, bytes) != 0;
        std::memcpy(old, now, bytes);
    }
    // Smoothed: cameras repeat frames.
    unrest_ = first ? 1 : 0.7 * unrest_ + 0.3 * double(changed) / double(seen);
    if (unrest_ >= 0.6 * unrest_before_) return false;
    unrest_before_ = unrest_;
    return true;
}

// An operator's part in the estimated cost of this frame: dot products, then a quarter of a cycle for each output value.
// share: of its pixels or of its products. Lists are slower than whole rows, followed codes are compared, and finding
// out what changed has its own cost: measured on PoseNet and ResNet-18.
void Session::count_cost(const Bound& b, double share, bool followed) {
    const Op& op = *b.op;
    const double outputs = double(op.h) * op.w * op.c;
    const double dense = double(op.macs) / (op.kind == Kind::depthwise ? 32 : 128) + outputs / 4;
    pace_.dense_cost += dense;
    pace_.cost += followed ? dense * (1.35 * share + 0.06) : dense;
}

// After a frame: whether the next ones follow changes or are computed in full.
void Session::set_pace() {
    if (pace_.full) {
        // The first frame of all touches its memory for the first time: its time is no measure.
        if (pace_.dense == 0) pace_.dense = 1e-9;
        else pace_.dense = pace_.dense < 1e-8 ? pace_.seconds : 0.7 * pace_.dense + 0.3 * pace_.seconds;
        pace_.left--;
        pace_.since = 0;
        return;
    }
    const bool filled = fresh_;
    fresh_ = false;
    if (filled || ++pace_.since <= 2 || pace_.always) return;  // buffers and accumulators are being filled
    const double ratio = bounded_ ? pace_.cost / pace_.dense_cost : pace_.seconds / pace_.dense;
    // A mean at first, then smoothed: frames of much and of little change alternate.
    const double weight = 1.0 / std::min(pace_.since - 2, 8);
    pace_.ratio = (1 - weight) * pace_.ratio + weight * ratio;
    if (pace_.since < 9) return;
    if (pace_.ratio > 1.02) {
        pace_.left = pace_.wait;
        pace_.wait = std::min(2 * pace_.wait, 128);
        unrest_before_ = unrest_;
    } else if (pace_.ratio < 0.97 && pace_.since > 16) pace_.wait = 16;
}

// Cuts pixels into tasks for the threads.
template <class Call>
void Session::spread(Pixels pixels, int64_t least, const Call& call) {
    const int64_t count = pixels.end - pixels.begin;
    if (count <= 0) return;
    const int64_t tasks = threads_->count() == 1 ? 1 : threads_->count() * 8;
    const int64_t size = std::max(round_up((count + tasks - 1) / tasks, grain), round_up(least, grain));
    threads_->run((count + size - 1) / size, [&](int64_t i) {
        Pixels part = pixels;
        part.begin = pixels.begin + i * size;
        part.end = std::min(part.begin + size, pixels.end);
        call(part);
    });
}

bool Session::finite(const float* input) {
    std::atomic<bool> all{true};
    const Slot& slot = plan_->slots[0];
    spread({nullptr, 0, slot.pixels()}, 8192, [&](Pixels part) {
        if (!kernels_->finite(input + part.begin * slot.c, (part.end - part.begin) * slot.c)) all = false;
    });
    return all;
}

// Weights are read once a task: the more of them, the larger the tasks.
static int64_t least_pixels(const Op& op) {
    size_t bytes = 0;
    for (const Part& part : op.parts)
        for (const Memory& weights : part.weights) bytes += weights.bytes();
    return bytes < (size_t(64) << 10) ? 48 : bytes < (size_t(512) << 10) ? 120 : 264;
}

void Session::run_dense(Bound& b, Pixels pixels) {
    switch (b.op->kind) {
        case Kind::conv:
            for (const Conv& c : b.convs) spread(pixels, least_pixels(*b.op), [&](Pixels part) { kernels_->conv(c, part); });
            break;
        case Kind::depthwise: spread(pixels, 48, [&](Pixels part) { kernels_->depthwise(b.depthwise, part); }); break;
        case Kind::float_conv:
            for (const FloatConv& c : b.float_convs) spread(pixels, 24, [&](Pixels part) { kernels_->float_conv(c, part); });
            break;
        case Kind::map:
            if (b.direct) spread(pixels, 4096, [&](Pixels part) { kernels_->quantize_input(b.map, part); });
            else spread(pixels, 256, [&](Pixels part) { kernels_->map(b.map, part); });
            break;
        case Kind::dequantize: spread(pixels, 256, [&](Pixels part) { kernels_->dequantize(b.dequantize, part); }); break;
        case Kind::pool: spread(pixels, 48, [&](Pixels part) { kernels_->pool(b.pool, part); }); break;
        case Kind::adaptive_pool: spread(pixels, 1, [&](Pixels part) { kernels_->adaptive_pool(b.adaptive, part); }); break;
        case Kind::resize: spread(pixels, 256, [&](Pixels part) { kernels_->resize(b.resize, part); }); break;
        case Kind::move:
        case Kind::constant: spread(pixels, 256, [&](Pixels part) { kernels_->move(b.move, part); }); break;
        case Kind::sparse: gather(b); break;
        case Kind::softmax: spread(pixels, 256, [&](Pixels part) { kernels_->softmax(b.softmax, part); }); break;
    }
}

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
            const bool parts = op.parts.size() > 1 || (!op.parts.empty() && (op.parts[0].step_y != 1 || op.parts[0].step_x != 1));
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
        case Kind::map: case Kind::dequantize: case Kind::softmax: case Kind::sparse: std::memcpy(map, moved, size_t(pixels) * 2); break;
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
                    if (iy >= 0 && iy < in.h && ix >= 0 && ix < in.w) map[int64_t(y) * op.w + x] = moved[iy * in.w + ix];
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
        kernels_->split(map_.as<uint16_t>(), 0, int32_t(pixels), 1, low_.as<int32_t>(), low, high_.as<int32_t>(), high, total);
        run_dense(b, {high_.as<int32_t>(), 0, high});
        listed = double(high) / double(pixels);
        work_of(b) = {op.macs * high / pixels, high == pixels ? How::dense : How::listed};
    }
    end_following(b, all);
    const auto& [macs, how] = work_of(b);
    const double share = op.macs ? double(macs) / double(op.macs) : all ? 1.0 : listed;
    count_cost(b, how == How::residual ? 1.5 * share + 0.1 : share, !fresh_);
}

// A convolution and its pool: whole rows of the pool, those whose windows hold any change.
void Session::follow_joined(Bound& conv, Bound& pool) {
    bool all;
    window(conv, all);
    begin_following(pool, all);
    uint16_t* map = map_.as<uint16_t>();
    std::vector<std::pair<int32_t, int32_t>> spans;
    if (all) spans.emplace_back(0, pool.op->h);
    else {
        const Op& op = *conv.op;
        std::vector<bool> changed(size_t(op.h));
        for (int32_t y = 0; y < op.h; y++)
            for (int32_t x = 0; x < op.w && !changed[size_t(y)]; x++) changed[size_t(y)] = map[int64_t(y) * op.w + x] != 0;
        for (int32_t y = 0; y < pool.op->h; y++) {
            const int32_t from = std::max(0, y * pool.pool.stride_y - pool.pool.top);
            const int32_t to = std::min(op.h, y * pool.pool.stride_y - pool.pool.top + pool.pool.kernel_h);
            bool any = false;
            for (int32_t row = from; row < to; row++) any |= changed[size_t(row)];
            std::fill(map + int64_t(y) * pool.op->w, map + int64_t(y + 1) * pool.op->w, uint16_t(any));
            if (!any) continue;
            if (!spans.empty() && spans.back().second == y) spans.back().second++;
            else spans.emplace_back(y, y + 1);
        }
        int64_t rows = 0;
        for (const auto& [first, last] : spans) rows += last - first;
        work_of(conv) = {op.macs / pool.op->h * rows, rows == pool.op->h ? How::dense : How::listed};
    }
    run_joined(conv, pool, spans);
    end_following(pool, all);
    count_cost(conv, conv.op->macs ? double(work_of(conv).first) / double(conv.op->macs) : 1.0, !fresh_);
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
    const uint16_t limit = worth ? uint16_t(std::min<int64_t>(0x8000, std::max<int64_t>(1, full * 40 / 100))) : uint16_t(1);
    kernels_->split(map_.as<uint16_t>(), 0, int32_t(pixels), limit, low_list, low, high_list, high, total);
    // Fitted to measurements: a changed group costs about two of a full pixel, because neighbours share lists; taps
    // are looked up one by one; accumulators are read and written.
    const double pixel = double(full) + 6, store = 10, own = 12 + 0.05 * double(full) + 1.5 * double(op.parts[0].dy.size());
    const double listed = pixel * double(low + high);
    const double residual = 2.2 * double(total) + own * double(low) + (pixel + store) * double(high);
    const bool gains = residual < 0.9 * listed;
    if (b.armed && gains) {
        keep(true);
        for (const Conv& c : b.convs) {
            spread({high_list, 0, high}, least_pixels(op), [&](Pixels part) { kernels_->conv(c, part); });
            spread({low_list, 0, low}, 48, [&](Pixels part) { kernels_->conv_residual(c, part); });
        }
        work_of(b) = {op.macs / pixels * high + int64_t(double(op.macs) / double(pixels * full) * double(total)), How::residual};
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
