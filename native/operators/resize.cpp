// resize: nearest and bilinear, with source pixels as PyTorch computes them.
#include "../core/operator.h"
#include "../core/reference.h"

#include <cmath>

namespace vq {
namespace {

struct ResizeOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    Resize numbers;
};

// Input pixels of one axis that output pixel o may read: one more on every side than interpolation can reach.
void source(int32_t o, float scale, bool from_edge, int32_t limit, int32_t& low, int32_t& high) {
    const double at = from_edge ? double(o) * scale : (o + 0.5) * scale - 0.5;
    low = std::max(0, std::min(limit - 1, int32_t(at) - 2));
    high = std::max(0, std::min(limit - 1, int32_t(at) + 3));
}

class ResizeBound : public Bound {
public:
    ResizeBound(const ResizeOp& op, const Buffers& buffers) : Bound(op, buffers), kernel_(op.numbers) {
        kernel_.in = input(), kernel_.out = output(), kernel_.program = program();
    }
    void run(Runner& runner, Pixels pixels) override {
        runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.resize(kernel_, part); });
    }
    void fill_mask(const InputChanges& changes, Rows, uint16_t* mask) const override {
        const bool from_edge = kernel_.align_corners || kernel_.mode == ResizeMode::nearest;  // i · scale
        const Tensor& in = kernel_.in;
        uint16_t* row = changes.runner.rows.as<uint16_t>();
        for (int32_t y = 0; y < op.h; y++) {
            int32_t y0, y1;
            source(y, kernel_.scale_y, from_edge, in.h, y0, y1);
            std::memset(row, 0, size_t(in.w) * 2);
            for (int32_t iy = y0; iy <= y1; iy++)
                for (int32_t x = 0; x < in.w; x++) row[x] |= changes.masks[0][int64_t(iy) * in.w + x];
            for (int32_t x = 0; x < op.w; x++) {
                int32_t x0, x1;
                source(x, kernel_.scale_x, from_edge, in.w, x0, x1);
                uint16_t any = 0;
                for (int32_t ix = x0; ix <= x1; ix++) any |= row[ix];
                mask[int64_t(y) * op.w + x] = any;
            }
        }
    }

private:
    Resize kernel_;
};

std::unique_ptr<Bound> ResizeOp::bind(Buffers& buffers) const { return std::make_unique<ResizeBound>(*this, buffers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_channels(head);
    auto op = made_of<ResizeOp>(head);
    const Reader attrs = r.reader.dict("attrs");
    const auto mode = attrs.text("mode");
    if (mode != "nearest" && mode != "bilinear") r.reader.fail(": unknown mode " + mode);
    Resize& n = op->numbers;
    n.mode = mode == "nearest" ? ResizeMode::nearest : ResizeMode::bilinear;
    n.align_corners = attrs.boolean("align_corners", false);
    n.scale_y = attrs.finite("scale_h");
    n.scale_x = attrs.finite("scale_w");
    if (n.scale_y < 0 || n.scale_x < 0 || n.scale_y > 65536 || n.scale_x > 65536) r.reader.fail(": impossible scale");
    return op;
}

}  // namespace

const OpType resize_type{"resize", Reads::floats, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

static int32_t nearest(int32_t out, float scale, int32_t size) {
    return std::min(int32_t(std::floor(float(out) * scale)), size - 1);
}

// PyTorch's area_pixel_compute_source_index: where the centre of an output pixel lies in the input.
static float source_index(int32_t out, float scale, bool align_corners) {
    if (align_corners) return scale * float(out);
    const float centre = scale * (float(out) + 0.5f) - 0.5f;
    return centre < 0 ? 0 : centre;
}

static float bilinear(const Resize& a, int32_t y, int32_t x, int c) {
    const float sy = source_index(y, a.scale_y, a.align_corners), sx = source_index(x, a.scale_x, a.align_corners);
    const int32_t y0 = std::min(int32_t(sy), a.in.h - 1), x0 = std::min(int32_t(sx), a.in.w - 1);
    const int32_t y1 = std::min(y0 + 1, a.in.h - 1), x1 = std::min(x0 + 1, a.in.w - 1);
    const float wy = std::min(sy - float(y0), 1.0f), wx = std::min(sx - float(x0), 1.0f);
    const auto at = [&](int32_t iy, int32_t ix) {
        return a.in.f32()[(int64_t(iy) * a.in.w + ix) * a.in.stride + c];
    };
    const float upper = at(y0, x0) * (1 - wx) + at(y0, x1) * wx;
    const float lower = at(y1, x0) * (1 - wx) + at(y1, x1) * wx;
    return upper * (1 - wy) + lower * wy;
}

void resize(const Resize& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        const int64_t iy = nearest(y, a.scale_y, a.in.h), ix = nearest(x, a.scale_x, a.in.w);
        for (int c = 0; c < a.in.c; c++) {
            const float value = a.mode == ResizeMode::bilinear ? bilinear(a, y, x, c)
                                                               : a.in.f32()[(iy * a.in.w + ix) * a.in.stride + c];
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace reference

}  // namespace vq
