// From the plan that lowering wrote (a dict of plain values and arrays) to the native one. Nothing in it is trusted:
// whatever does not fit raises ValueError, since a plan may come from a damaged file.
#include "parse.h"

#include "parse_updates.h"
#include "reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace vq {
namespace {

constexpr int32_t largest_side = 32768, most_channels = 65536;
constexpr int64_t most_elements = int64_t(1) << 31;

class Builder {
public:
    Builder(nb::handle object, const Allow& allow) : spec_(object, "plan"), allow_(allow) {}

    Plan build() {
        if (spec_.integer("version", 0, 1 << 30) != 2) fail("plan: its version is not one that this release reads");
        int64_t elements = 0;
        for (const nb::object& item : spec_.list("slots")) {
            const Reader r(item, "slot " + std::to_string(plan_.slots.size()));
            Slot slot;
            slot.h = r.integer("h", 1, largest_side);
            slot.w = r.integer("w", 1, largest_side);
            slot.c = r.integer("c", 1, most_channels);
            const auto type = r.get<std::string>("type");
            if (type != "u8" && type != "f32" && type != "sparse")
                fail(r.where() + ": its type is neither u8, f32 nor sparse");
            slot.codes = type == "u8";
            slot.sparse = type == "sparse";
            if (slot.sparse && slot.c == most_channels) fail(r.where() + ": too many channels for a sparse part");
            slot.keep = r.get<bool>("keep", false);
            elements += int64_t(slot.bytes());
            if (slot.pixels() * slot.stride() >= most_elements || elements > (int64_t(1) << 36))
                fail(r.where() + ": too large");
            plan_.slots.push_back(slot);
        }
        if (plan_.slots.empty() || !floats(0)) fail("plan: slot 0, the input, must be f32");
        for (const nb::object& item : spec_.list("grids")) {
            const Reader r(item, "grid " + std::to_string(plan_.grids.size()));
            plan_.grids.push_back(make_grid(r.get<double>("scale"), r.integer("zero", 0, 255), r.integer("low", 0, 255),
                                            r.integer("high", 0, 255)));
        }
        const Reader programs = spec_.dict("programs");
        UpdateParser updates(plan_);
        for (const char* name : {"key", "residual"}) {
            if (!programs.has(name)) continue;
            const Reader r = programs.dict(name);
            ProgramPlan program;
            program.name = name;
            for (const nb::object& item : r.list("ops")) {
                const std::string where = std::string(name) + " op " + std::to_string(program.ops.size());
                const auto node = Reader(item, where).get<std::string>("name", std::string());
                program.ops.push_back(op(Reader(item, node.empty() ? where : where + ", " + node)));
            }
            updates.parse(r, program);
            plan_.programs.push_back(std::move(program));
        }
        if (!plan_.program("key")) fail("plan: it has no program 'key'");
        nb::dict outputs = spec_.get<nb::dict>("outputs");
        for (auto [name, index] : outputs) {
            int64_t slot;
            if (!nb::try_cast(index, slot) || slot < 0 || slot >= int64_t(plan_.slots.size()) || !floats(int32_t(slot)))
                fail("plan: an output is not an f32 slot");
            plan_.outputs.emplace_back(nb::cast<std::string>(nb::str(name)), int32_t(slot));
        }
        return std::move(plan_);
    }

private:
    // Before memory is taken: one array of a file can be named many times, and weights grow when they are packed.
    void take(double bytes) {
        bytes_ += bytes;
        if (allow_) allow_(bytes_);
    }
    Memory padded(const float* values, int64_t count) {
        take(double(count) * 4);
        Memory memory = Memory::of<float>(size_t(count) + 128);
        std::copy(values, values + count, memory.as<float>());
        return memory;
    }
    int32_t slot_index(const Reader& r, const char* key) const {
        return r.integer(key, 0, int32_t(plan_.slots.size()) - 1);
    }
    int32_t grid_index(const Reader& r, const char* key) const {
        if (plan_.grids.empty()) fail(r.where() + ": the plan has no grids");
        return r.integer(key, 0, int32_t(plan_.grids.size()) - 1);
    }
    const Slot& slot(int32_t index) const { return plan_.slots[size_t(index)]; }
    bool floats(int32_t index) const { return !slot(index).codes && !slot(index).sparse; }
    // The slot of a sparse part, of this size; −1 where none is named.
    int32_t sparse_slot(const Reader& r, int32_t h, int32_t w, int32_t c) const {
        if (!r.has("sparse")) return -1;
        const int32_t index = slot_index(r, "sparse");
        const Slot& s = slot(index);
        if (!s.sparse || s.h != h || s.w != w || s.c != c) fail(r.where() + ": its sparse slot does not fit");
        return index;
    }

    Op op(const Reader& r) {
        Op op;
        op.name = r.get<std::string>("name", std::string());
        const auto kind = r.get<std::string>("kind");
        op.h = r.integer("h", 1, largest_side);
        op.w = r.integer("w", 1, largest_side);
        op.c = r.integer("c", 1, most_channels);
        for (const nb::object& item : r.list("inputs")) {
            int64_t index;
            if (!nb::try_cast(item, index) || index < 0 || index >= int64_t(plan_.slots.size()))
                fail(r.where() + ": an input is not a slot");
            op.inputs.push_back(int32_t(index));
        }
        if (op.inputs.empty() && kind != "constant") fail(r.where() + " (" + kind + ") reads nothing");
        const bool from_codes = kind == "conv" || kind == "conv_transpose" || kind == "dequantize";
        for (const int32_t input : op.inputs)
            if (slot(input).codes != from_codes || slot(input).sparse != (kind == "sparse"))
                fail(r.where() + " (" + kind + ") reads a slot of the wrong type");
        if (from_codes) {
            op.grid = grid_index(r, "grid");
            const Slot& in = slot(op.inputs[0]);
            op.sparse = sparse_slot(r, in.h, in.w, in.c);
        }
        if (kind == "conv" || kind == "conv_transpose" || kind == "fconv" || kind == "fconv_transpose")
            convolution(r, op, kind);
        else if (kind == "map" || kind == "dequantize" || kind == "softmax" || kind == "sparse") {
            op.kind = kind == "map"       ? Kind::map
                      : kind == "softmax" ? Kind::softmax
                      : kind == "sparse"  ? Kind::sparse
                                          : Kind::dequantize;
            same_size(r, op);
        } else if (kind == "max_pool" || kind == "avg_pool" || kind == "global_pool" || kind == "global_max")
            pool(r, op, kind);
        else if (kind == "adaptive_avg_pool") {
            op.kind = Kind::adaptive_pool;
            if (slot(op.inputs[0]).c != op.c) fail(r.where() + ": channels differ");
        } else if (kind == "resize") resize(r, op);
        else if (kind == "constant") {
            op.kind = Kind::constant;
            const int64_t count = int64_t(op.h) * op.w * op.c;
            op.constant = padded(r.dict("tensors").floats("value", count), count);
        } else move(r, op, kind);
        for (const nb::object& item : r.list("steps"))
            op.steps.push_back(step(Reader(item, r.where() + " step " + std::to_string(op.steps.size())), op));
        return op;
    }

    void same_size(const Reader& r, const Op& op) const {
        const Slot& in = slot(op.inputs[0]);
        if (in.h != op.h || in.w != op.w || in.c != op.c) fail(r.where() + ": input and output differ in size");
    }

    void convolution(const Reader& r, Op& op, const std::string& kind) {
        const bool transposed = kind == "conv_transpose" || kind == "fconv_transpose";
        const bool floating = kind[0] == 'f';
        const Reader attrs = r.dict("attrs"), tensors = r.dict("tensors");
        const Slot& in = slot(op.inputs[0]);
        const auto kernel = attrs.integers("kernel", 2, 1, 256), stride = attrs.integers("stride", 2, 1, 256);
        const auto dilation = attrs.integers("dilation", 2, 1, 4096),
                   padding = attrs.integers("padding", 4, -4096, 4096);
        op.groups = attrs.integer("groups", 1, most_channels);
        const int32_t count = kernel[0] * kernel[1];
        if (count > max_taps / 3) fail(r.where() + ": its kernel is too large");
        if (in.c % op.groups || op.c % op.groups) fail(r.where() + ": channels are not a multiple of groups");
        const int64_t sides[2] = {in.h, in.w}, outs[2] = {op.h, op.w};
        for (int axis = 0; axis < 2; axis++) {
            const int64_t reach = int64_t(dilation[size_t(axis)]) * (kernel[size_t(axis)] - 1) + 1;
            const int64_t around = padding[size_t(axis)] + padding[size_t(axis) + 2];
            if (transposed) {
                const auto extra = attrs.integers("output_padding", 2, 0, 256);
                if ((sides[axis] - 1) * stride[size_t(axis)] + reach - around + extra[size_t(axis)] != outs[axis])
                    fail(r.where() + ": its output's size does not follow from its input's");
            } else if (sides[axis] + around < reach ||
                       (sides[axis] + around - reach) / stride[size_t(axis)] + 1 != outs[axis])
                fail(r.where() + ": its output's size does not follow from its input's");
        }
        const int64_t weights = int64_t(op.c) * (in.c / op.groups) * count;
        if (weights >= most_elements) fail(r.where() + ": its weights are too large");
        const float* bias = tensors.floats("bias", op.c);
        op.bias = padded(bias, op.c);
        op.macs = int64_t(transposed ? in.h : op.h) * (transposed ? in.w : op.w) * weights;
        op.stride_y = transposed ? 1 : stride[0];
        op.stride_x = transposed ? 1 : stride[1];
        const double phase_count = transposed ? double(std::min(stride[0], op.h)) * std::min(stride[1], op.w) : 1;
        const double taps = std::max(double(count), phase_count);  // a phase without taps has one of zeros
        const double in_each = in.c / op.groups, out_each = op.c / op.groups;
        // As floats in rows of 64; as bytes in fours by 16, and once more as pairs and for Winograd's algorithm.
        take(phase_count * 4096 + taps * op.groups *
             (floating ? in_each * (out_each + 63) * 4 : (in_each + 6) * (out_each + 15) * 7));
        phases(op, kernel, stride, dilation, padding, transposed);

        if (floating) {
            op.kind = Kind::float_conv;
            pack_float(op, tensors.floats("weight", weights), in.c, count);
            return;
        }
        const float* scale = tensors.floats("scale", op.c);
        op.scale = padded(scale, op.c);
        const int8_t* weight = tensors.array<int8_t>("weight", weights);
        const int32_t zero = attrs.integer("weight_zero", -128, 127, 0);
        if (!transposed && zero == 0 && op.groups == in.c && op.c == in.c && op.groups > 1) {
            op.kind = Kind::depthwise;
            pack_depthwise(op.parts[0], weight, op.c, count);
            if (op.sparse >= 0) pack_sparse(op, op.parts[0], weight, zero, in.c, count, taps_[0]);
            return;
        }
        op.kind = Kind::conv;
        // Asymmetric weights w − z leave int8: they are a sum of int8 weights that see the same input, so each tap
        // comes twice, or for z = −128, where they reach 255, three times.
        const int32_t copies = zero == 0 ? 1 : zero == -128 ? 3 : 2;
        if (int64_t(in.c / op.groups) * count * copies > 32768) fail(r.where() + ": its sums could leave 32 bits");
        std::vector<int8_t> parts;
        if (op.sparse >= 0)
            for (size_t p = 0; p < op.parts.size(); p++)
                pack_sparse(op, op.parts[p], weight, zero, in.c, count, taps_[p]);
        if (zero) {
            parts.resize(size_t(weights * copies));
            for (int64_t i = 0; i < weights; i++) {
                int8_t* part = parts.data() + i / count * count * copies + i % count;
                int32_t rest = weight[i] - zero;
                for (int32_t k = 0; k < copies; k++) {
                    part[k * count] = int8_t(std::max(-128, std::min(127, rest)));
                    rest -= part[k * count];
                }
            }
            weight = parts.data();
        }
        for (size_t p = 0; p < op.parts.size(); p++) {
            Part& part = op.parts[p];
            std::vector<int32_t> taps, dy, dx;
            for (int32_t k = 0; k < copies; k++) {
                for (const int32_t t : taps_[p]) taps.push_back(t + k * count);
                dy.insert(dy.end(), part.dy.begin(), part.dy.end());
                dx.insert(dx.end(), part.dx.begin(), part.dx.end());
            }
            part.dy = std::move(dy);
            part.dx = std::move(dx);
            pack_conv(part, weight, op.c, in.c, op.groups, copies * count, taps);
        }
    }

    // The taps of each part: one part for a convolution, one for each phase of a transposed one.
    void phases(Op& op, const std::vector<int32_t>& kernel, const std::vector<int32_t>& stride,
                const std::vector<int32_t>& dilation, const std::vector<int32_t>& padding, bool transposed) {
        taps_.clear();
        const int32_t rows = transposed ? std::min(stride[0], op.h) : 1,
                      columns = transposed ? std::min(stride[1], op.w) : 1;
        for (int32_t py = 0; py < rows; py++)
            for (int32_t px = 0; px < columns; px++) {
                Part part;
                std::vector<int32_t> taps;
                if (transposed) {
                    part.step_y = stride[0];
                    part.step_x = stride[1];
                    part.phase_y = py;
                    part.phase_x = px;
                }
                for (int32_t ky = 0; ky < kernel[0]; ky++)
                    for (int32_t kx = 0; kx < kernel[1]; kx++) {
                        int32_t dy = ky * dilation[0] - padding[0], dx = kx * dilation[1] - padding[1];
                        if (transposed) {
                            // Output row y takes input row (y + top − ky · dilation) / stride where that is whole.
                            dy = py - dy;
                            dx = px - dx;
                            if (dy % stride[0] || dx % stride[1]) continue;
                            dy /= stride[0];
                            dx /= stride[1];
                        }
                        part.dy.push_back(dy);
                        part.dx.push_back(dx);
                        taps.push_back(ky * kernel[1] + kx);
                    }
                if (taps.empty()) {  // no weight reaches this phase: a tap far outside reads zeros
                    part.dy.push_back(1 << 20);
                    part.dx.push_back(1 << 20);
                    taps.push_back(0);
                }
                op.parts.push_back(std::move(part));
                taps_.push_back(std::move(taps));
            }
    }

    void pack_float(Op& op, const float* weight, int32_t c_in, int32_t kernel) const {
        const int32_t in_each = c_in / op.groups, out_each = op.c / op.groups, row = (out_each + 63) / 64 * 64;
        for (size_t p = 0; p < op.parts.size(); p++) {
            Part& part = op.parts[p];
            part.flat = Memory::of<float>(size_t(op.groups) * taps_[p].size() * size_t(in_each) * size_t(row));
            float* out = part.flat.as<float>();
            for (int32_t g = 0; g < op.groups; g++)
                for (const int32_t tap : taps_[p])
                    for (int32_t k = 0; k < in_each; k++, out += row)
                        for (int32_t c = 0; c < out_each; c++)
                            out[c] = weight[(int64_t(g * out_each + c) * in_each + k) * kernel + tap];
        }
    }

    // Weights for the sparse part; a part's taps in order of rows and columns, as its elements come.
    void pack_sparse(const Op& op, Part& part, const int8_t* weight, int32_t zero, int32_t c_in, int32_t kernel,
                     const std::vector<int32_t>& taps) const {
        const int32_t in_each = c_in / op.groups, out_each = op.c / op.groups;
        std::vector<size_t> order(taps.size());
        std::iota(order.begin(), order.end(), size_t(0));
        std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
            return std::make_pair(part.dy[a], part.dx[a]) < std::make_pair(part.dy[b], part.dx[b]);
        });
        part.sparse_row = out_each == 1 ? 1 : (out_each + 15) / 16 * 16;
        part.sparse_weight = Memory::of<float>(taps.size() * size_t(c_in) * size_t(part.sparse_row));
        float* out = part.sparse_weight.as<float>();
        for (const size_t t : order) {
            part.sparse_dy.push_back(part.dy[t]);
            part.sparse_dx.push_back(part.dx[t]);
            for (int32_t k = 0; k < c_in; k++, out += part.sparse_row)
                for (int32_t c = 0; c < out_each; c++)
                    out[c] =
                        float(weight[(int64_t(k / in_each * out_each + c) * in_each + k % in_each) * kernel + taps[t]] -
                              zero);
        }
    }

    void pool(const Reader& r, Op& op, const std::string& kind) const {
        const Slot& in = slot(op.inputs[0]);
        if (in.c != op.c) fail(r.where() + ": channels differ");
        op.kind = Kind::pool;
        Pool& p = op.pool;
        p.kind = kind == "max_pool" || kind == "global_max" ? PoolKind::max : PoolKind::average;
        if (kind[0] == 'g') {
            if (op.h != 1 || op.w != 1) fail(r.where() + ": a global pool gives one pixel");
            p.kernel_h = p.stride_y = in.h;
            p.kernel_w = p.stride_x = in.w;
            return;
        }
        const Reader attrs = r.dict("attrs");
        const auto kernel = attrs.integers("kernel", 2, 1, largest_side),
                   stride = attrs.integers("stride", 2, 1, largest_side);
        const auto padding = attrs.integers("padding", 4, 0, largest_side);
        p.kernel_h = kernel[0], p.kernel_w = kernel[1], p.stride_y = stride[0], p.stride_x = stride[1];
        p.top = padding[0], p.left = padding[1], p.bottom = padding[2], p.right = padding[3];
        if (attrs.has("dilation")) {
            // Its average would divide by the pixels that a dilated window reaches over.
            if (p.kind == PoolKind::average) fail(r.where() + ": an average pool with a dilation is not supported");
            const auto dilation = attrs.integers("dilation", 2, 1, largest_side);
            p.dilation_y = dilation[0], p.dilation_x = dilation[1];
        }
        p.count_padding = attrs.get<bool>("count_padding", false);
        if (p.top >= p.kernel_h * p.dilation_y || p.left >= p.kernel_w * p.dilation_x ||
            int64_t(op.h - 1) * p.stride_y - p.top >= in.h || int64_t(op.w - 1) * p.stride_x - p.left >= in.w)
            fail(r.where() + ": a window lies outside the input");
    }

    void resize(const Reader& r, Op& op) const {
        if (slot(op.inputs[0]).c != op.c) fail(r.where() + ": channels differ");
        const Reader attrs = r.dict("attrs");
        op.kind = Kind::resize;
        const auto mode = attrs.get<std::string>("mode");
        if (mode != "nearest" && mode != "bilinear") fail(r.where() + ": unknown mode " + mode);
        op.resize.mode = mode == "nearest" ? ResizeMode::nearest : ResizeMode::bilinear;
        op.resize.align_corners = attrs.get<bool>("align_corners", false);
        op.resize.scale_y = finite(attrs, "scale_h");
        op.resize.scale_x = finite(attrs, "scale_w");
        if (op.resize.scale_y < 0 || op.resize.scale_x < 0 || op.resize.scale_y > 65536 || op.resize.scale_x > 65536)
            fail(r.where() + ": impossible scale");
    }

    void move(const Reader& r, Op& op, const std::string& kind) const {
        op.kind = Kind::move;
        Move& m = op.move;
        const Slot& in = slot(op.inputs[0]);
        if (kind == "concat") {
            int64_t channels = 0;
            for (const int32_t input : op.inputs) {
                const Slot& s = slot(input);
                if (s.h != op.h || s.w != op.w) fail(r.where() + ": inputs differ in size");
                channels += s.c;
            }
            if (channels != op.c) fail(r.where() + ": channels do not add up");
            return;
        }
        const Reader attrs = r.dict("attrs");
        const auto reject = [&](bool bad) {
            if (bad) fail(r.where() + ": its output's size does not follow from its input's");
        };
        if (kind == "pixel_shuffle") {
            m.factor = attrs.integer("factor", 1, 256);
            m.kind = attrs.get<std::string>("order", "CRD") == "DCR" ? MoveKind::shuffle_dcr : MoveKind::shuffle_crd;
            reject(in.h * m.factor != op.h || in.w * m.factor != op.w || in.c != int64_t(op.c) * m.factor * m.factor);
        } else if (kind == "slice") {
            m.kind = MoveKind::slice;
            m.dim = attrs.integer("dim", 1, 3);
            m.start = attrs.integer("start", 0, most_channels);
            m.every = attrs.integer("step", 1, most_channels, 1);
            const int64_t from[3] = {in.h, in.w, in.c}, to[3] = {op.h, op.w, op.c};
            for (int d = 0; d < 3; d++)
                reject(d + 1 == m.dim ? m.start + (to[d] - 1) * m.every >= from[d] : from[d] != to[d]);
        } else if (kind == "pad") {
            const auto mode = attrs.get<std::string>("mode");
            m.kind = mode == "constant"  ? MoveKind::pad_constant
                     : mode == "reflect" ? MoveKind::pad_reflect
                                         : MoveKind::pad_replicate;
            if (mode != "constant" && mode != "reflect" && mode != "replicate")
                fail(r.where() + ": unknown mode " + mode);
            m.top = attrs.integer("t", -largest_side, largest_side);
            m.left = attrs.integer("l", -largest_side, largest_side);
            m.front = attrs.integer("front", -most_channels, most_channels, 0);
            const int32_t b = attrs.integer("b", -largest_side, largest_side),
                          e = attrs.integer("r", -largest_side, largest_side);
            const int32_t back = attrs.integer("back", -most_channels, most_channels, 0);
            m.value = float(attrs.get<double>("value", 0.0));
            if (std::isnan(m.value)) fail(r.where() + ": 'value' is NaN");
            reject(in.h + m.top + b != op.h || in.w + m.left + e != op.w || in.c + m.front + back != op.c);
            if (m.kind == MoveKind::pad_reflect) reject(m.top >= in.h || b >= in.h || m.left >= in.w || e >= in.w);
            if (m.kind != MoveKind::pad_constant) reject(m.front != 0 || back != 0);
        } else fail(r.where() + ": unknown kind " + kind);
    }

    StepPlan step(const Reader& r, const Op& op) {
        static const std::map<std::string, Do> kinds = {
            {"clamp", Do::clamp}, {"leaky_relu", Do::leaky_relu}, {"prelu", Do::prelu}, {"hardswish", Do::hardswish},
            {"hardsigmoid", Do::hardsigmoid}, {"sigmoid", Do::sigmoid}, {"silu", Do::silu}, {"gelu", Do::gelu},
            {"elu", Do::elu}, {"tanh", Do::tanh}, {"erf", Do::erf}, {"affine", Do::affine}, {"add", Do::add},
            {"sub", Do::sub}, {"rsub", Do::rsub}, {"mul", Do::mul}, {"div", Do::div}, {"rdiv", Do::rdiv},
            {"store", Do::store}, {"store_codes", Do::store_codes}, {"store_residual", Do::store_residual},
            {"store_values", Do::store_values},
        };
        StepPlan plan;
        const auto name = r.get<std::string>("do");
        const auto found = kinds.find(name);
        if (found == kinds.end()) fail(r.where() + ": unknown step " + name);
        Step& s = plan.step;
        s.kind = found->second;
        const auto number = [&](const char* key) {
            const double value = r.get<double>(key);
            if (std::isnan(value)) fail(r.where() + ": '" + key + "' is NaN");
            return float(value);
        };
        switch (s.kind) {
            case Do::clamp: s.a = number("lo"), s.b = number("hi"); break;
            case Do::leaky_relu: s.a = number("slope"); break;
            case Do::elu: s.a = number("alpha"); break;
            case Do::hardsigmoid: s.a = number("alpha"), s.b = number("beta"); break;
            case Do::gelu:
                if (r.get<std::string>("approximate", "none") == "tanh") s.kind = Do::gelu_tanh;
                break;
            case Do::prelu: plan.channel_a = padded(r.floats("slope", op.c), op.c); break;
            case Do::affine:
                plan.channel_a = padded(r.floats("weight", op.c), op.c);
                plan.channel_b = padded(r.floats("bias", op.c), op.c);
                break;
            case Do::add: case Do::sub: case Do::rsub: case Do::mul: case Do::div: case Do::rdiv:
                if (r.has("value")) {
                    plan.channel_a = Memory::of<float>(1);
                    *plan.channel_a.as<float>() = number("value");
                } else {
                    plan.operand = slot_index(r, "slot");
                    const Slot& o = slot(plan.operand);
                    const bool one = o.h == 1 && o.w == 1, same = o.h == op.h && o.w == op.w;
                    if (!floats(plan.operand) || !(one || same) || (o.c != op.c && o.c != 1))
                        fail(r.where() + ": its operand does not fit");
                    s.operand_pixel = one ? 0 : o.c;
                    s.operand_channel = o.c == 1 && op.c != 1 ? 0 : 1;
                }
                break;
            case Do::store: case Do::store_codes: case Do::store_residual: case Do::store_values: {
                plan.slot = slot_index(r, "slot");
                const Slot& o = slot(plan.slot);
                const bool codes = s.kind == Do::store_codes || s.kind == Do::store_residual;
                if (plan.slot == 0 || o.codes != codes || o.sparse || o.h != op.h || o.w != op.w || o.c != op.c)
                    fail(r.where() + ": its slot does not fit");
                for (const int32_t input : op.inputs)
                    if (input == plan.slot) fail(r.where() + ": it writes what its operator reads");
                if (s.kind != Do::store) plan.grid = grid_index(r, "grid");
                if (s.kind == Do::store_residual) {
                    plan.reference = slot_index(r, "reference");
                    const Slot& f = slot(plan.reference);
                    if (!floats(plan.reference) || f.h != op.h || f.w != op.w || f.c != op.c)
                        fail(r.where() + ": its reference does not fit");
                    s.update = r.get<bool>("update", false);
                }
                if (codes) plan.staged = sparse_slot(r, op.h, op.w, op.c);
                s.sparse = plan.staged >= 0 || r.get<bool>("with_sparse", false);
                break;
            }
            default: break;
        }
        return plan;
    }

    Reader spec_;
    const Allow& allow_;
    double bytes_ = 0;  // taken so far
    Plan plan_;
    std::vector<std::vector<int32_t>> taps_;  // of the convolution in hand, by part
};

}  // namespace

Plan parse_plan(nb::handle spec, const Allow& allow) {
    return Builder(spec, allow).build();
}

}  // namespace vq
