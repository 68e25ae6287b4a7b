// All kernels but those of quantized convolution, and their places in the table.
#pragma once
#include "adaptive_pool.h"
#include "float_conv.h"
#include "map.h"
#include "move.h"
#include "pool.h"
#include "resize.h"
#include "softmax.h"
#include "sparse_list.h"

#define VQ_OTHER_KERNELS(isa)                                                                                        \
    isa::float_conv, isa::map, isa::dequantize, isa::pool, isa::adaptive_pool, isa::resize, isa::move, isa::softmax, \
        isa::copy_sparse
