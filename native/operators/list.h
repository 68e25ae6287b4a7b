// The operators by name: the one place that knows them all. A new one is a line here, and a file beside this one.
#pragma once
#include "../core/operator.h"

#define VQ_OPERATORS(each)                                                                                          \
    each(conv) each(conv_transpose) each(fconv) each(fconv_transpose) each(map) each(dequantize) each(sparse)       \
        each(constant) each(max_pool) each(avg_pool) each(global_pool) each(global_max) each(adaptive_avg_pool)     \
            each(resize) each(pixel_shuffle) each(concat) each(slice) each(pad) each(softmax)

namespace vq {

#define VQ_DECLARE(name) extern const OpType name##_type;
VQ_OPERATORS(VQ_DECLARE)
#undef VQ_DECLARE

}  // namespace vq
