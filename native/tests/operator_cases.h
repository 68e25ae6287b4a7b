// Random cases of the operators without weights: shapes, tails, strides, paddings.
#pragma once
#include "cases.h"

namespace vq::test {

// Operators that hand each pixel on as it is, of maps with sides up to `most`.
template <class Args>
Call pixelwise_case(World& world, Random& r, int most, void (*Kernels::*kernel)(const Args&, Pixels)) {
    Args a;
    a.in = world.f32("in", r.between(1, most), r.between(1, most), r.channels(), r);
    a.out = a.in;
    return finish_case(world, a, r, kernel);
}

inline Call map_case(World& world, Random& r) { return pixelwise_case(world, r, 9, &Kernels::map); }
inline Call softmax_case(World& world, Random& r) { return pixelwise_case(world, r, 6, &Kernels::softmax); }

inline Call layer_norm_case(World& world, Random& r) {
    LayerNorm a;
    a.in = world.f32("in", r.between(1, 6), r.between(1, 6), r.channels(), r);
    a.out = a.in;
    a.eps = r.chance(50) ? 1e-5 : 0.5;
    return finish_case(world, a, r, &Kernels::layer_norm);
}

inline Call dequantize_case(World& world, Random& r) {
    Dequantize a;
    a.grid = random_grid(r);
    a.in = world.codes("in", r.between(1, 9), r.between(1, 9), r.channels(), a.grid, r);
    a.out = a.in;
    if (r.chance(30)) a.sparse = random_sparse(world, a.in, r);
    return finish_case(world, a, r, &Kernels::dequantize);
}

// The output size of a window along one axis, rounded up or down.
inline int window_size(int in, int before, int after, int kernel, int dilation, int stride, bool ceil) {
    const int room = in + before + after - (kernel - 1) * dilation - 1;
    if (room < 0) return 0;
    int out = (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (ceil && (out - 1) * stride >= in + before) out--;  // a window begins inside, as PyTorch demands
    return out;
}

inline Call pool_case(World& world, Random& r) {
    Pool a;
    do {
        a.in = {nullptr, r.between(1, 14), r.between(1, 14), 0, 0};
        a.kind = r.chance(50) ? PoolKind::max : r.chance(70) ? PoolKind::average : PoolKind::sum;
        a.kernel_h = r.between(1, 5), a.kernel_w = r.between(1, 5);
        if (r.chance(15)) a.kernel_h = a.in.h, a.kernel_w = a.in.w;
        a.stride_y = r.between(1, 3), a.stride_x = r.between(1, 3);
        a.top = r.between(0, a.kernel_h / 2), a.left = r.between(0, a.kernel_w / 2);
        a.bottom = r.between(0, a.kernel_h / 2), a.right = r.between(0, a.kernel_w / 2);
        const bool dilated = a.kind == PoolKind::max && r.chance(30);
        a.dilation_y = dilated ? r.between(1, 3) : 1, a.dilation_x = dilated ? r.between(1, 3) : 1;
        a.count_padding = r.chance(50);
        const bool ceil = r.chance(50);
        a.out.h = window_size(a.in.h, a.top, a.bottom, a.kernel_h, a.dilation_y, a.stride_y, ceil);
        a.out.w = window_size(a.in.w, a.left, a.right, a.kernel_w, a.dilation_x, a.stride_x, ceil);
    } while (a.out.h < 1 || a.out.w < 1);
    a.in = world.f32("in", a.in.h, a.in.w, r.channels(), r);
    a.out.c = a.in.c;
    world.shape += size("in", a.in) + " kernel " + std::to_string(a.kernel_h) + "×" + std::to_string(a.kernel_w);
    return finish_case(world, a, r, &Kernels::pool);
}

inline Call adaptive_pool_case(World& world, Random& r) {
    AdaptivePool a;
    a.in = world.f32("in", r.between(1, 12), r.between(1, 12), r.channels(), r);
    a.out = {nullptr, r.between(1, 13), r.between(1, 13), a.in.c, 0};
    world.shape += size("in", a.in);
    return finish_case(world, a, r, &Kernels::adaptive_pool);
}

inline Call resize_case(World& world, Random& r) {
    Resize a;
    a.in = world.f32("in", r.between(1, 9), r.between(1, 9), r.channels(), r);
    a.out = {nullptr, r.between(1, 20), r.between(1, 20), a.in.c, 0};
    a.mode = r.chance(30) ? ResizeMode::nearest : ResizeMode::bilinear;
    a.align_corners = r.chance(30);
    const auto scale = [&](int in, int out) {
        if (a.align_corners) return out > 1 ? float(in - 1) / float(out - 1) : 0.0f;
        return float(in) / (float(out) + (r.chance(30) ? 0.5f : 0.0f));  // sizes that a given scale cut
    };
    a.scale_y = scale(a.in.h, a.out.h), a.scale_x = scale(a.in.w, a.out.w);
    world.shape += size("in", a.in);
    return finish_case(world, a, r, &Kernels::resize);
}

// Any memory may be staged: channels that there are not become the last.
inline Call copy_sparse_case(World& world, Random& r) {
    SparseCopy a;
    a.c = r.channels(), a.w = r.between(1, 9);
    const int64_t pixels = a.w * r.between(1, 9);
    const auto fill = [&](uint32_t* elements, int64_t count) {
        for (int64_t i = 0; i < count; i++) {
            const uint32_t half = uint32_t(r.between(0, 0x7BFF)) | (r.chance(50) ? 0x8000u : 0);
            elements[i] = half << 16 | uint32_t(r.chance(90) ? r.between(0, a.c - 1) : r.between(0, 0xFFFF));
        }
        return elements;
    };
    a.staged.few = fill(world.array<uint32_t>("few elements", pixels * few_elements), pixels * few_elements);
    a.staged.more = fill(world.array<uint32_t>("more elements", pixels * a.c), pixels * a.c);
    auto& begin = world.own<std::vector<int32_t>>(std::vector<int32_t>{0});
    const int share = r.between(0, 100);
    for (int64_t p = 0; p < pixels; p++) begin.push_back(begin.back() + (r.chance(share) ? r.between(0, a.c) : 0));
    a.begin = begin.data();
    a.elements = reinterpret_cast<SparseElement*>(world.array<uint64_t>("elements of the list", begin.back()));
    const int64_t first = r.between(0, int(pixels)), last = r.between(int(first), int(pixels));
    return [a, first, last](const Kernels& kernels) { kernels.copy_sparse(a, first, last); };
}

inline Call move_case(World& world, Random& r) {
    Move a;
    a.kind = MoveKind(r.between(0, int(MoveKind::arrange)));
    const bool several = a.kind == MoveKind::concat || a.kind == MoveKind::join;
    a.inputs = several ? r.between(1, 5) : 1;
    const int h = r.between(1, 8), w = r.between(1, 8);
    const bool shuffle = a.kind == MoveKind::shuffle_crd || a.kind == MoveKind::shuffle_dcr;
    a.factor = shuffle ? r.between(1, 3) : 1;
    auto& tensors = world.own<std::vector<Tensor>>();
    const int together = r.channels();
    for (int k = 0; k < a.inputs; k++) {
        const int channels = a.kind == MoveKind::join ? together : a.kind == MoveKind::concat && r.chance(40) ? 16 * r.between(1, 3) : r.channels();
        tensors.push_back(world.f32("in " + std::to_string(k), h, w, channels * a.factor * a.factor, r));
        world.shape += size("in", tensors.back());
    }
    a.in = tensors.data();
    a.out = {nullptr, h * a.factor, w * a.factor, a.in->c / (a.factor * a.factor), 0};
    if (a.kind == MoveKind::concat) {
        a.out.c = 0;
        for (const Tensor& t : tensors) a.out.c += t.c;
    } else if (a.kind == MoveKind::join) {
        a.out = {nullptr, 1, h * w * a.inputs, together, 0};
    } else if (a.kind == MoveKind::arrange) {
        a.out = {nullptr, r.between(1, 5), r.between(1, 5), r.between(1, a.in->c), 0};
        const auto places = [&](int64_t count, int64_t most) {
            auto& list = world.own<std::vector<int32_t>>();
            for (int64_t i = 0; i < count; i++) list.push_back(r.between(0, int(most)));
            return list.data();
        };
        const bool dense = r.chance(50);
        a.from_pixel = places(a.out.pixels(), a.in->pixels() * a.in->stride - a.in->c);
        a.from_channel = dense ? nullptr : places(a.out.c, a.in->c - 1);
    } else if (a.kind == MoveKind::slice) {
        a.dim = r.between(1, 3);
        int32_t& length = a.dim == 1 ? a.out.h : a.dim == 2 ? a.out.w : a.out.c;
        a.start = r.between(0, length - 1);
        a.every = r.between(1, 3);
        length = r.between(1, (length - a.start + a.every - 1) / a.every);
    } else if (!shuffle) {
        const auto padding = [&](int32_t length) {  // reflect mirrors at most the whole axis without its edge
            return a.kind == MoveKind::pad_reflect ? r.between(0, length - 1) : r.between(0, 4);
        };
        a.top = padding(h), a.left = padding(w);
        a.out.h += a.top + padding(h), a.out.w += a.left + padding(w);
        if (r.chance(40)) a.front = padding(a.out.c), a.out.c += a.front + padding(a.in->c);
        a.value = r.value();
    }
    return finish_case(world, a, r, &Kernels::move);
}

}  // namespace vq::test
