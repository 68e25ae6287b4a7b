// The kernels that every instruction set has, in the fields of their names. What is called here and does not exist does
// not compile; a field that is forgotten here is found by tests/test_kernels.cpp. Computed by the compiler: no code
// runs before a CPU is known to understand it.
#pragma once
#include "../core/kernels.h"
#ifdef VQ_VECTORS  // the scalar reference, which has none, declares its own
#include "adaptive_pool.h"
#include "changes.h"
#include "conv.h"
#include "depthwise.h"
#include "features.h"
#include "float_conv.h"
#include "gate.h"
#include "layer_norm.h"
#include "map.h"
#include "move.h"
#include "pool.h"
#include "resize.h"
#include "simulation.h"
#include "softmax.h"
#include "sparse_list.h"
#endif

namespace vq::VQ_ISA {

constexpr Kernels common_kernels(const char* name) {
    Kernels k;
    k.name = name;
    k.conv = conv;
    k.conv_residual = conv_residual;
    k.depthwise = depthwise;
    k.float_conv = float_conv;
    k.map = map;
    k.dequantize = dequantize;
    k.pool = pool;
    k.adaptive_pool = adaptive_pool;
    k.resize = resize;
    k.move = move;
    k.softmax = softmax;
    k.layer_norm = layer_norm;
    k.copy_sparse = copy_sparse;
    k.quantize_input = quantize_input;
    k.finite = finite;
    k.window_map = window_map;
    k.split = split;
    k.lane_sums = lane_sums;
    k.key_ends = key_ends;
    k.key_bins = key_bins;
    k.order = order;
    k.quantize_steps = quantize_steps;
    k.scale_sums = scale_sums;
    k.cell_sums = cell_sums;
    k.cell_changes = cell_changes;
    return k;
}

}  // namespace vq::VQ_ISA
