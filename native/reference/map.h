// Map and dequantize, one value at a time.
#pragma once

namespace vq::reference {

static void map(const Map& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        for (int c = 0; c < a.in.c; c++) run_program(a.program, a.in.f32()[p * a.in.stride + c], p, c);
    }
}

static void dequantize(const Dequantize& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        for (int c = 0; c < a.in.c; c++) {
            const int32_t code = a.in.u8()[p * a.in.stride + c];
            float value = float(code - a.grid.zero) * a.grid.scale;
            if (a.sparse.begin)
                for (int32_t e = a.sparse.begin[p]; e < a.sparse.begin[p + 1]; e++)
                    if (a.sparse.elements[e].channel == c) value = value + a.sparse.elements[e].value;
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace vq::reference
