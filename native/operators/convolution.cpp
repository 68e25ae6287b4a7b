#include "convolution.h"

#include "../core/operator.h"
#include "../core/reference.h"
#include "depthwise.h"

namespace vq {
namespace {

// Asymmetric weights w − z leave int8: they are a sum of int8 weights that see the same input, so each tap comes twice,
// or for z = −128, where they reach 255, three times. These are the weights of all of them, tap after tap.
std::vector<int8_t> split_weights(const int8_t* weight, const Geometry& g, int32_t zero, int32_t copies) {
    std::vector<int8_t> parts(size_t(g.weights * copies));
    for (int64_t i = 0; i < g.weights; i++) {
        int8_t* part = parts.data() + i / g.count * g.count * copies + i % g.count;
        int32_t rest = weight[i] - zero;
        for (int32_t k = 0; k < copies; k++) {
            part[k * g.count] = int8_t(std::max(-128, std::min(127, rest)));
            rest -= part[k * g.count];
        }
    }
    return parts;
}

std::unique_ptr<Op> parse_conv(const OpReader& r, const OpHead& head, bool transposed) {
    auto op = made_of<ConvOp>(head);
    const Geometry g(r, *op, transposed);
    const Reader tensors = r.reader.dict("tensors");
    op->groups = g.groups;
    op->stride_y = transposed ? 1 : g.stride[0], op->stride_x = transposed ? 1 : g.stride[1];
    op->bias = r.padded(tensors.floats("bias", op->c), op->c);
    // As bytes in fours by 16, and once more as pairs and for Winograd's algorithm.
    r.take(g.packed_bytes(*op, 6, 15, 7));
    op->scale = r.padded(tensors.floats("scale", op->c), op->c);
    const int8_t* weight = tensors.codes("weight", g.weights);
    const int32_t zero = r.reader.dict("attrs").integer("weight_zero", -128, 127, 0);
    if (!transposed && zero == 0 && g.groups == g.channels && op->c == g.channels && g.groups > 1)
        return make_depthwise(std::move(op->scale), std::move(op->bias), *op, g, weight);
    const int32_t copies = zero == 0 ? 1 : zero == -128 ? 3 : 2;
    if (int64_t(g.channels / g.groups) * g.count * copies > 32768) r.reader.fail(": its sums could leave 32 bits");
    std::vector<int8_t> split;
    if (zero) split = split_weights(weight, g, zero, copies);
    std::vector<std::vector<int32_t>> numbers;
    for (Taps& taps : g.parts(*op, numbers)) {
        const std::vector<int32_t>& own = numbers[op->parts.size()];
        ConvPart part;
        if (op->sparse >= 0) part.sparse = sparse_weights(*op, g, taps, own, weight, zero);
        std::vector<int32_t> all;
        part.taps = taps;
        part.taps.dy.clear(), part.taps.dx.clear();
        for (int32_t k = 0; k < copies; k++) {
            for (const int32_t t : own) all.push_back(t + k * g.count);
            part.taps.dy.insert(part.taps.dy.end(), taps.dy.begin(), taps.dy.end());
            part.taps.dx.insert(part.taps.dx.end(), taps.dx.begin(), taps.dx.end());
        }
        part.weights = pack_conv(zero ? split.data() : weight, op->c, g.channels, g.groups, copies * g.count, all);
        op->parts.push_back(std::move(part));
    }
    return op;
}

std::vector<const Taps*> taps_of(const ConvOp& op) {
    std::vector<const Taps*> taps;
    for (const ConvPart& part : op.parts) taps.push_back(&part.taps);
    return taps;
}

}  // namespace

const OpType conv_type{"conv", Reads::codes, [](const OpReader& r, const OpHead& head) {
                              return parse_conv(r, head, false);
                          }};
const OpType conv_transpose_type{"conv_transpose", Reads::codes, [](const OpReader& r, const OpHead& head) {
                                        return parse_conv(r, head, true);
                                    }};

std::unique_ptr<Bound> ConvOp::bind(Buffers& buffers) const { return std::make_unique<Convolution>(*this, buffers); }

bool ConvOp::takes_winograd() const {
    if (groups != 1 || parts.size() != 1 || stride_y != 1 || stride_x != 1) return false;
    const Taps& taps = parts[0].taps;
    if (taps.dy.size() != 9 || taps.step_y != 1 || taps.step_x != 1) return false;
    for (int32_t t = 0; t < 9; t++)
        if (taps.dy[size_t(t)] != taps.dy[0] + t / 3 || taps.dx[size_t(t)] != taps.dx[0] + t % 3) return false;
    // Whole vectors of input channels; few channels do not repay the transformations; sums of four times a product of
    // 3 × 3 weights stay below 2³¹.
    const int32_t inputs = 4 * parts[0].weights.blocks[0].groups;
    return inputs % 16 == 0 && inputs >= 32 && c >= 24 && inputs <= 1536;
}

// Weights are read once a task: the more of them, the larger the tasks.
int64_t ConvOp::least_pixels() const {
    size_t bytes = 0;
    for (const ConvPart& part : parts)
        for (const Memory& weights : part.weights.weights) bytes += weights.bytes();
    return bytes < (size_t(64) << 10) ? 48 : bytes < (size_t(512) << 10) ? 120 : 264;
}

Convolution::Convolution(const ConvOp& op, Buffers& buffers)
    : WindowBound(op, buffers, op.stride_y, op.stride_x, taps_of(op)), plan(op), buffers_(buffers),
      scale_(Memory::of<float>(size_t(op.c) + 128)), zeros_(size_t(inputs[0].stride) + 64),
      // Whole vectors; those of a group of output channels may reach past it.
      accumulator_stride_(round_up(op.c, 16) + (op.groups > 1 ? 64 : 0)) {
    const bool winograd = op.by_winograd(buffers.kernels);
    bytes_ = scale_.bytes() + zeros_.bytes();
    for (const ConvPart& part : op.parts) {
        if (buffers.kernels.pairs && (buffers.partly != Partly::none || !winograd)) pack_pairs(part.weights);
        starts_.push_back(Memory::of<int32_t>(size_t(op.c) + 128));
        bytes_ += starts_.back().bytes();
        const Taps& taps = part.taps;
        Conv c;
        c.in = input(), c.out = output();
        c.taps = int32_t(taps.dy.size()), c.dy = taps.dy.data(), c.dx = taps.dx.data();
        c.stride_y = op.stride_y, c.stride_x = op.stride_x;
        c.step_y = taps.step_y, c.step_x = taps.step_x, c.phase_y = taps.phase_y, c.phase_x = taps.phase_x;
        if (winograd) c.winograd = pack_winograd(part.weights);
        c.blocks = part.weights.blocks.data(), c.block_count = int32_t(part.weights.blocks.size());
        c.zeros = zeros_.as<uint8_t>(), c.start = starts_.back().as<int32_t>();
        c.scale = scale_.as<float>(), c.bias = op.bias.as<float>();
        c.sparse = sparse_taps(op, part.sparse, inputs[0].c, op.groups, op.scale.as<float>());
        c.program = program();
        if (buffers.kernels.tiles) pack_tiles(part.weights, run_of_taps(c));
        convs.push_back(c);
    }
}

void Convolution::take_input_grid(const Grid& grid) {
    for (int32_t c = 0; c < op.c; c++) scale_.as<float>()[c] = grid.scale * plan.scale.as<float>()[c];
    for (size_t p = 0; p < plan.parts.size(); p++) {
        const int32_t* sums = plan.parts[p].weights.sums.as<int32_t>();
        for (int32_t c = 0; c < op.c; c++) starts_[p].as<int32_t>()[c] = -grid.zero * sums[c];
    }
    std::memset(zeros_.as<uint8_t>(), grid.zero, size_t(inputs[0].stride));
}

void Convolution::take_sparse() {
    if (op.sparse < 0) return;
    for (Conv& conv : convs) conv.sparse.input = buffers_.lists[size_t(op.sparse)].view();
}

void Convolution::run(Runner& runner, Pixels pixels) {
    if (pixels.list || !has_winograd()) return run_direct(runner, pixels);
    run_tiles(runner, {nullptr, 0, int64_t((op.h + 1) / 2) * ((op.w + 1) / 2)});
}

void Convolution::run_direct(Runner& runner, Pixels pixels) {
    take_sparse();
    for (const Conv& conv : convs)
        runner.parallel_for(pixels, plan.least_pixels(), [&](Pixels part) { runner.kernels.conv(conv, part); });
}

void Convolution::run_tiles(Runner& runner, Pixels tiles) {
    take_sparse();
    const Conv& conv = convs[0];
    runner.reserve(winograd_bytes(conv));
    runner.parallel_for(tiles, winograd_batch, [&](Pixels part) {
        const Scratch::Loan loan(runner.scratch);
        runner.kernels.winograd(conv, part, loan.as<void>());
    });
}

void Convolution::run_changes(Runner& runner, Pixels pixels) {
    for (const Conv& conv : convs)
        runner.parallel_for(pixels, 48, [&](Pixels part) { runner.kernels.conv_residual(conv, part); });
}

void Convolution::keep_accumulators(bool on, const int8_t* delta, const uint16_t* changed) {
    if (on && !accumulators_) accumulators_ = Memory::of<int32_t>(size_t(op.pixels() * accumulator_stride_));
    for (Conv& conv : convs) {
        conv.accumulators = on ? accumulators_.as<int32_t>() : nullptr;
        conv.accumulator_stride = accumulator_stride_;
        conv.delta = delta;
        conv.moved = changed;
    }
}

int64_t Convolution::groups_read() const { return taps() * ((inputs[0].c / plan.groups + 3) / 4); }

// One value at a time: what the kernels are compared with.
namespace reference {

// Σ over taps and channels, in the packed weights' own order.
static int32_t accumulate(const Conv& conv, const Block& b, int32_t y, int32_t x, int c) {
    int32_t acc = conv.start[b.first + c];
    for (int t = 0; t < conv.taps; t++) {
        const int32_t iy = y * conv.stride_y + conv.dy[t], ix = x * conv.stride_x + conv.dx[t];
        const bool inside = iy >= 0 && iy < conv.in.h && ix >= 0 && ix < conv.in.w;
        const uint8_t* in = inside ? conv.in.u8() + (int64_t(iy) * conv.in.w + ix) * conv.in.stride : conv.zeros;
        for (int k = 0; k < 4 * b.groups; k++) {
            const int64_t row = (int64_t(t) * b.groups + k / 4) * 64 * b.vectors;
            acc += in[b.in_offset + k] * b.weight[row + 4 * c + k % 4];
        }
    }
    return acc;
}

// Every accumulator anew, whatever changed: the definition of both kernels.
void conv(const Conv& conv, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t pixel = pixels.at(i), out_y = pixel / conv.out.w, out_x = pixel % conv.out.w;
        if (out_y % conv.step_y != conv.phase_y || out_x % conv.step_x != conv.phase_x) continue;
        const int32_t y = out_y / conv.step_y, x = out_x / conv.step_x;
        for (int k = 0; k < conv.block_count; k++) {
            const Block& b = conv.blocks[k];
            for (int c = 0; c < b.channels; c++) {
                const int32_t acc = accumulate(conv, b, y, x, c);
                if (conv.accumulators)
                    conv.accumulators[int64_t(pixel) * conv.accumulator_stride + b.first + c] = acc;
                float value = float(acc) * conv.scale[b.first + c] + conv.bias[b.first + c];
                if (conv.sparse.input.begin)
                    value = value + sparse_sum(conv.sparse, conv.in, y * conv.stride_y, x * conv.stride_x, b.first + c);
                run_program(conv.program, value, pixel, b.first + c);
            }
        }
    }
}
void conv_residual(const Conv& c, Pixels pixels) { conv(c, pixels); }

}  // namespace reference

}  // namespace vq
