// grid_sample: its first input, `batches` maps one above the other, at the places that its second says: (x, y) of −1 to 1
// for each pixel of the output. mode: bilinear or nearest; padding: zeros, border or reflection.
#include "../core/operator.h"

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

enum class Padding : uint8_t { zeros, border, reflection };

struct GridSampleOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    int32_t batches = 1, rows = 1, columns = 1;  // the maps
    bool nearest = false, corners = false;
    Padding padding = Padding::zeros;
};

// A place between −1 and 1 in pixels of an axis; with padding one that exists.
float in_pixels(float place, int32_t size, const GridSampleOp& op) {
    float x = op.corners ? (place + 1) / 2 * float(size - 1) : ((place + 1) * float(size) - 1) / 2;
    if (op.padding == Padding::zeros) return x;
    if (op.padding == Padding::reflection) {
        const float low = op.corners ? 0 : -0.5f, span = op.corners ? float(size - 1) : float(size);
        if (span <= 0) x = 0;
        else {
            const float distance = std::fabs(x - low), rest = std::fmod(distance, span);
            x = std::fmod(std::floor(distance / span), 2.0f) == 0 ? rest + low : span - rest + low;
        }
    }
    return x > 0 ? std::min(x, float(size - 1)) : 0;  // NaN is 0
}

class GridSampleBound : public Bound {
public:
    GridSampleBound(const GridSampleOp& op, const Buffers& buffers)
        : Bound(op, buffers), sample_(op), found_(Memory::of<float>(size_t(op.pixels()) * size_t(op.c) + 64)) {}
    void run(Runner& runner, Pixels pixels) override {
        Tensor found = output();
        found.data = found_.as<float>(), found.stride = op.c;
        const Map map{found, output(), program()};
        runner.parallel_for(pixels, 64, [&](Pixels part) {
            for (int64_t i = part.begin; i < part.end; i++) sample(part.at(i));
            runner.kernels.map(map, part);
        });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        fill_all(changes, inputs, op, mask);
    }
    size_t bytes() const override { return found_.bytes(); }

private:
    void sample(int64_t p) {
        const float* grid = inputs[1].f32() + p * inputs[1].stride;
        const float x = in_pixels(grid[0], sample_.columns, sample_), y = in_pixels(grid[1], sample_.rows, sample_);
        float* out = found_.as<float>() + p * op.c;
        std::fill(out, out + op.c, 0.0f);
        constexpr float far = 1 << 24;
        if (!(std::fabs(x) < far && std::fabs(y) < far)) return;
        const int64_t map = p / (op.pixels() / sample_.batches);
        if (sample_.nearest) return add(out, map, std::nearbyint(y), std::nearbyint(x), 1);
        const float left = std::floor(x), top = std::floor(y), across = x - left, down = y - top;
        add(out, map, top, left, (1 - across) * (1 - down));
        add(out, map, top, left + 1, across * (1 - down));
        add(out, map, top + 1, left, (1 - across) * down);
        add(out, map, top + 1, left + 1, across * down);
    }
    // A pixel of a map times a share; there are none around it.
    void add(float* out, int64_t map, float y, float x, float share) const {
        if (!(y >= 0 && y < float(sample_.rows) && x >= 0 && x < float(sample_.columns))) return;
        const Tensor& in = inputs[0];
        const float* from = in.f32() + ((map * sample_.rows + int64_t(y)) * sample_.columns + int64_t(x)) * in.stride;
        for (int32_t c = 0; c < op.c; c++) out[c] += from[c] * share;
    }

    const GridSampleOp& sample_;
    Memory found_;
};

std::unique_ptr<Bound> GridSampleOp::bind(Buffers& buffers) const {
    return std::make_unique<GridSampleBound>(*this, buffers);
}

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    if (head.inputs.size() != 2) r.reader.fail(": it reads two values");
    const Reader attrs = r.reader.dict("attrs");
    const Slot &in = r.input(head), &grid = r.slot(head.inputs[1]);
    auto op = made_of<GridSampleOp>(head);
    op->batches = attrs.integer("batches", 1, 2147483647);
    op->rows = attrs.integer("rows", 1, 1 << 24), op->columns = attrs.integer("columns", 1, 1 << 24);
    const std::string mode = attrs.text("mode"), padding = attrs.text("padding");
    if (mode != "bilinear" && mode != "nearest") r.reader.fail(": unknown mode " + mode);
    if (padding != "zeros" && padding != "border" && padding != "reflection") r.reader.fail(": unknown padding " + padding);
    op->nearest = mode == "nearest", op->corners = attrs.boolean("align_corners");
    op->padding = padding == "zeros" ? Padding::zeros : padding == "border" ? Padding::border : Padding::reflection;
    if (double(op->batches) * op->rows * op->columns != double(in.pixels()) || head.pixels() % op->batches) r.wrong_size();
    if (in.c != head.c || grid.pixels() != head.pixels() || grid.c != 2) r.wrong_size();
    r.take(4 * double(head.pixels()) * head.c);
    return op;
}

}  // namespace

const OpType grid_sample_type{"grid_sample", Reads::floats, parse};

}  // namespace vq
