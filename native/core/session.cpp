#include "session_parts.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>

namespace vq {
namespace {

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

Session::Session(std::shared_ptr<const Plan> plan, const Kernels* kernels, std::shared_ptr<Threads> threads,
                 bool incremental, const Allow& allow)
    : plan_(std::move(plan)), kernels_(kernels), threads_(std::move(threads)), incremental_(incremental),
      grids_(plan_->grids), grid_changed_(plan_->grids.size(), 0), grid_users_(plan_->grids.size()),
      features_(kernels, threads_.get()) {
    place_slots(allow);
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
    std::vector<bool> joined(plan_->slots.size(), false);
    for (const int64_t count : plan_->remembered) {
        remembered_.push_back(Memory::of<float>(size_t(count)));
        bytes_ += remembered_.back().bytes();
    }
    for (const auto& [name, ops, updates] : plan_->programs) {
        programs_.emplace_back(ops.size());
        work_.emplace_back(ops.size());
        for (size_t i = 0; i < ops.size(); i++) {
            bind(ops[i], programs_.back()[i]);
            programs_.back()[i].joined = joins_pool(ops, i);
            if (programs_.back()[i].joined) joined[size_t(ops[i].steps.back().slot)] = true;
        }
    }
    if (!incremental_) return;
    pace_.full = true;
    int64_t margin = 0;
    for (const std::vector<Bound>& program : programs_)
        for (const Bound& b : program) margin = std::max(margin, int64_t(b.margin));
    map_ = Memory::of<uint16_t>(size_t(most_pixels) + 64);
    scratch_width_ = widest + 2 * margin + 64;
    scratch_ = Memory::of<uint16_t>(size_t(scratch_width_ * threads_->count()));
    low_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    high_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    merged_ = Memory::of<int32_t>(size_t(most_pixels) + 64);
    for (size_t s = 0; s < states_.size(); s++) {
        const Slot& slot = plan_->slots[s];
        if (!data_[s] && !joined[s]) continue;
        states_[s].moved = Memory::of<uint16_t>(size_t(slot.pixels()));
        bytes_ += states_[s].moved.bytes();
        if (!slot.codes) continue;
        states_[s].delta = Memory(slot.bytes());
        bytes_ += states_[s].delta.bytes();
    }
    bytes_ += map_.bytes() + scratch_.bytes() + low_.bytes() + high_.bytes() + merged_.bytes();
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
                const bool winograd = by_winograd(op);
                if (kernels_->pairs && (incremental_ || !winograd)) pack_pairs(part);
                b.starts.push_back(Memory::of<int32_t>(size_t(op.c) + 128));
                Conv c;
                c.in = in, c.out = out;
                c.taps = int32_t(part.dy.size()), c.dy = part.dy.data(), c.dx = part.dx.data();
                c.stride_y = op.stride_y, c.stride_x = op.stride_x;
                c.step_y = part.step_y, c.step_x = part.step_x, c.phase_y = part.phase_y, c.phase_x = part.phase_x;
                if (winograd) c.winograd = pack_winograd(part);
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
    if (!b.columns.empty()) {
        const int32_t stride = op.kind == Kind::pool ? op.pool.stride_x : op.stride_x;
        b.margin = std::max({0, -b.columns.front(), (op.w - 1) * stride + b.columns.back() - (in.w - 1)}) + stride;
    }
    b.direct = op.kind == Kind::map && op.inputs[0] == 0 && op.c <= 4 && op.steps.size() == 1 &&
               op.steps[0].step.kind == Do::store_codes && !op.steps[0].step.sparse;
    if (op.kind == Kind::conv) states_[size_t(op.inputs[0])].convolutions.push_back(&b);
    for (const int32_t input : op.inputs) states_[size_t(input)].readers++;
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
    spread({nullptr, 0, b.inputs[0].pixels()}, 1024,
           [&](Pixels part) { kernels_->copy_sparse(copy, part.begin, part.end); });
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

// Sets the grids that are predicted from a value, and remembers it where later frames need it.
void Session::update_ranges(const RangeUpdate& update) {
    const Slot& slot = plan_->slots[size_t(update.slot)];
    const float* value = update.slot == 0 ? input_ : static_cast<const float*>(data(update.slot));
    float* before = update.remembered < 0 ? nullptr : remembered_[size_t(update.remembered)].as<float>();
    const Predictions& predictions = update.predictions;
    if (!predictions.grids.empty()) {
        const auto& [rows, columns, channels] = predictions.steps;
        const Sampled sampled{value, update.compares ? before : nullptr, slot.h, slot.w, slot.c, rows, columns, channels};
        bytes_ -= features_.bytes();
        const std::vector<double> found = features_.take(sampled, predictions.features);
        bytes_ += features_.bytes();
        for (const Predicted& predicted : predictions.grids) set_grid(predicted.index, predicted.grid(found));
    }
    if (update.remembers) std::memcpy(before, value, slot.bytes());
}

const uint16_t* Session::moved(int32_t slot) const {
    const State& state = states_[size_t(slot)];
    return !incremental_ || pace_.full || state.all ? nullptr : state.moved.as<uint16_t>();
}

const std::vector<std::pair<int64_t, How>>& Session::work(const ProgramPlan& program) const {
    for (size_t i = 0; i < programs_.size(); i++)
        if (&plan_->programs[i] == &program) return work_[i];
    throw std::invalid_argument("not a program of this plan");
}

void Session::run(const ProgramPlan& program, const float* input, int64_t first, int64_t last, const Measure& measure) {
    const int64_t count = int64_t(program.ops.size());
    input_ = input;
    for (size_t u = 0; u < program.updates.size(); u++) {
        const RangeUpdate& update = program.updates[u];
        if (update.before_op < first || (update.before_op >= last && (update.before_op < count || last < count)))
            continue;
        if (update.before_op > first) run_operators(program, first, update.before_op);
        first = update.before_op;
        if (update.measured < 0) update_ranges(update);
        else if (measure) set_grid(update.measured, measure(int64_t(u)));
        else throw std::invalid_argument("a range of this program is measured by its caller, who gave no function for it");
    }
    if (first < last || count == 0) run_operators(program, first, last);
}

// Runs operators first … last − 1, without the updates before them.
void Session::run_operators(const ProgramPlan& program, int64_t first, int64_t last) {
    const size_t which = size_t(&work(program) - work_.data());
    std::vector<Bound>& bounds = programs_[which];
    if ((first > 0 && bounds[size_t(first) - 1].joined) || (last > first && bounds[size_t(last) - 1].joined))
        throw std::invalid_argument("a convolution and the pool behind it run together; do not stop between them");
    current_work_ = &work_[which];
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
            look_at_input();
            choose_way();
        }
        if (!pace_.full) take_input(bounds);
    }
    if (pace_.full) {
        if (!compact_) {
            compact_.reset(new Session(plan_, kernels_, threads_, false));
            for (size_t g = 0; g < grids_.size(); g++) compact_->set_grid(int32_t(g), grids_[g]);
        }
        compact_->input_ = input_;
        compact_->run_operators(program, first, last);
        for (int64_t i = first; i < last; i++) (*current_work_)[size_t(i)] = {bounds[size_t(i)].op->macs, How::dense};
        macs_done_ = compact_->macs_done_, macs_dense_ = compact_->macs_dense_;
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
    if (incremental_) {  // find out which pixels changed
        states_[0].all = false;
        states_[0].rows = {0, slot.h};
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

bool Session::finite(const float* input) {
    std::atomic<bool> all{true};
    const Slot& slot = plan_->slots[0];
    spread({nullptr, 0, slot.pixels()}, 8192, [&](Pixels part) {
        if (!kernels_->finite(input + part.begin * slot.c, (part.end - part.begin) * slot.c)) all = false;
    });
    return all;
}

void Session::run_dense(Bound& b, Pixels pixels) {
    switch (b.op->kind) {
        case Kind::conv:
            if (!pixels.list && b.convs[0].winograd) return run_winograd(b);
            for (const Conv& c : b.convs)
                spread(pixels, least_pixels(*b.op), [&](Pixels part) { kernels_->conv(c, part); });
            break;
        case Kind::depthwise: spread(pixels, 96, [&](Pixels part) { kernels_->depthwise(b.depthwise, part); }); break;
        case Kind::float_conv:
            for (const FloatConv& c : b.float_convs)
                spread(pixels, 24, [&](Pixels part) { kernels_->float_conv(c, part); });
            break;
        case Kind::map:
            if (b.direct) spread(pixels, 4096, [&](Pixels part) { kernels_->quantize_input(b.map, part); });
            else spread(pixels, 256, [&](Pixels part) { kernels_->map(b.map, part); });
            break;
        case Kind::dequantize:
            spread(pixels, 256, [&](Pixels part) { kernels_->dequantize(b.dequantize, part); });
            break;
        case Kind::pool: spread(pixels, 48, [&](Pixels part) { kernels_->pool(b.pool, part); }); break;
        case Kind::adaptive_pool:
            spread(pixels, 1, [&](Pixels part) { kernels_->adaptive_pool(b.adaptive, part); });
            break;
        case Kind::resize: spread(pixels, 256, [&](Pixels part) { kernels_->resize(b.resize, part); }); break;
        case Kind::move:
        case Kind::constant: spread(pixels, 256, [&](Pixels part) { kernels_->move(b.move, part); }); break;
        case Kind::sparse: gather(b); break;
        case Kind::softmax: spread(pixels, 256, [&](Pixels part) { kernels_->softmax(b.softmax, part); }); break;
    }
}

// A convolution in full, by tiles of 2 × 2 output pixels.
void Session::run_winograd(const Bound& b) {
    const Conv& conv = b.convs[0];
    reserve_pieces(winograd_bytes(conv));
    const int64_t tiles = int64_t((conv.out.h + 1) / 2) * ((conv.out.w + 1) / 2);
    spread({nullptr, 0, tiles}, winograd_batch, [&](Pixels part) {
        const Scratch::Loan loan(pieces_);
        kernels_->winograd(conv, part.begin, part.end, loan.as<void>());
    });
}

}  // namespace vq
