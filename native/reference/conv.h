// Convolution as its definition says, one output value at a time: what the fast kernels are tested against.
#pragma once

namespace vq::reference {

// Σ over taps and channels, in the packed weights' own order.
inline int32_t accumulate(const Conv& conv, const Block& b, int32_t y, int32_t x, int c) {
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

// scale · Σ S · weight for one output channel.
inline float sparse_sum(const SparseTaps& s, const Tensor& in, int32_t y, int32_t x, int c) {
    const int32_t group = c / s.out_each;
    float sum = 0;
    for (int t = 0; t < s.taps; t++) {
        const int32_t iy = y + s.dy[t], ix = x + s.dx[t];
        if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
        const int64_t at = int64_t(iy) * in.w + ix;
        for (int32_t e = s.input.begin[at]; e < s.input.begin[at + 1]; e++) {
            const int32_t channel = s.input.elements[e].channel;
            if (channel / s.in_each == group)
                sum =
                    sum + s.input.elements[e].value * s.weight[(int64_t(t) * in.c + channel) * s.row + c % s.out_each];
        }
    }
    return s.scale[c] * sum;
}

// Every accumulator anew, whatever changed: the definition of both kernels.
static void conv(const Conv& conv, Pixels pixels) {
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
static void conv_residual(const Conv& c, Pixels pixels) { conv(c, pixels); }

static void depthwise(const Depthwise& conv, Pixels pixels) {
    const int64_t row = (conv.in.c + 63) / 64 * 64;
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t pixel = pixels.at(i), y = pixel / conv.out.w, x = pixel % conv.out.w;
        for (int c = 0; c < conv.in.c; c++) {
            int32_t acc = conv.start[c];
            for (int t = 0; t < conv.taps; t++) {
                const int32_t iy = y * conv.stride_y + conv.dy[t], ix = x * conv.stride_x + conv.dx[t];
                const bool inside = iy >= 0 && iy < conv.in.h && ix >= 0 && ix < conv.in.w;
                const uint8_t* in =
                    inside ? conv.in.u8() + (int64_t(iy) * conv.in.w + ix) * conv.in.stride : conv.zeros;
                acc += in[c] * conv.weight[t * row + c];
            }
            float value = float(acc) * conv.scale[c] + conv.bias[c];
            if (conv.sparse.input.begin)
                value = value + sparse_sum(conv.sparse, conv.in, y * conv.stride_y, x * conv.stride_x, c);
            run_program(conv.program, value, pixel, c);
        }
    }
}

}  // namespace vq::reference
