// gather: elements of its first input by indices that its second holds. As pick, but where the pixels lie is found out in
// every frame: each begins somewhere, and each of `parts` adds an index of its own times a step.
#include "../core/operator.h"
#include "move.h"
#include "strided.h"

#include <cmath>

namespace vq {
namespace {

struct Part {
    int32_t offset, step, size;  // where its index lies beside the pixel's first, what it is times, and below what it stays
};

struct GatherOp : MoveOp {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    Memory from_pixel, from_channel, from_index;
    std::vector<Part> parts;
};

// Indices below 0 count from the end; one that is outside, or NaN, stands for the nearest that exists.
int32_t place(float index, int32_t size) {
    if (index < 0) index += float(size);
    if (!(index > 0)) return 0;
    return index < float(size - 1) ? int32_t(index) : size - 1;
}

class GatherBound : public MoveBound {
public:
    GatherBound(const GatherOp& op, const Buffers& buffers)
        : MoveBound(op, buffers, op.numbers), gather_(op), places_(Memory::of<int32_t>(size_t(op.pixels()))) {
        kernel_.from_pixel = places_.as<int32_t>();
    }
    void run(Runner& runner, Pixels pixels) override {
        const float* indices = inputs[1].f32();
        runner.parallel_for(pixels, 256, [&](Pixels part) {
            for (int64_t i = part.begin; i < part.end; i++) {
                const int64_t p = part.at(i);
                int64_t at = gather_.from_pixel.as<int32_t>()[p];
                for (const Part& one : gather_.parts)
                    at += int64_t(place(indices[gather_.from_index.as<int32_t>()[p] + one.offset], one.size)) * one.step;
                places_.as<int32_t>()[p] = int32_t(at);
            }
            runner.kernels.move(kernel_, part);
        });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs, op, mask);
    }
    size_t bytes() const override { return places_.bytes(); }

private:
    const GatherOp& gather_;
    Memory places_;
};

std::unique_ptr<Bound> GatherOp::bind(Buffers& buffers) const { return std::make_unique<GatherBound>(*this, buffers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    if (head.inputs.size() != 2) r.reader.fail(": it reads two values");
    const Reader attrs = r.reader.dict("attrs");
    const Slot &in = r.input(head), &indices = r.slot(head.inputs[1]);
    const Strided pixels(r, attrs, "pixel_"), channels(r, attrs, "channel_"), index(r, attrs, "index_");
    if (pixels.count() != double(head.pixels()) || index.count() != double(head.pixels()) || channels.count() != double(head.c))
        r.wrong_size();
    constexpr int32_t largest = 2147483647;
    const size_t count = size_t(attrs.integer("parts", 1, 12));
    const auto offsets = attrs.integers("part_offsets", count, 0, largest), steps = attrs.integers("part_steps", count, 0, largest),
               sizes = attrs.integers("part_sizes", count, 1, 1 << 24);  // as far as float32 has every index
    auto op = made_of<GatherOp>(head);
    double last = pixels.last() + channels.last(), last_index = index.last(), offset = 0;
    for (size_t i = 0; i < count; i++) {
        op->parts.push_back({offsets[i], steps[i], sizes[i]});
        last += double(sizes[i] - 1) * steps[i], offset = std::max(offset, double(offsets[i]));
    }
    if (last >= double(in.pixels()) * in.c || last_index + offset >= double(indices.pixels()) * indices.c) r.wrong_size();
    r.take(4 * (3 * double(head.pixels()) + head.c));
    op->from_pixel = pixels.places(), op->from_index = index.places();
    if (!channels.is_dense()) op->from_channel = channels.places();
    op->numbers.kind = MoveKind::arrange;
    op->numbers.from_channel = channels.is_dense() ? nullptr : op->from_channel.as<int32_t>();
    return op;
}

}  // namespace

const OpType gather_type{"gather", Reads::floats, parse};

}  // namespace vq
