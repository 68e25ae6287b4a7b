// The scalar twins of the kernels: one value at a time, as the definition says. Each stands in the file of the operator
// (or of the part of core/) that its kernel serves; tests compare every instruction set with them, bit for bit.
#pragma once
#include "kernels.h"

namespace vq::reference {

// The value of channel c of one pixel goes through a program's steps in order (operators/steps.cpp).
void run_program(const Program& program, float value, int64_t pixel, int c);
float exponential(float x);
// scale · Σ S · weight for one output channel (operators/weights.cpp).
float sparse_sum(const SparseTaps& s, const Tensor& in, int32_t y, int32_t x, int c);

void conv(const Conv& conv, Pixels pixels);
void conv_residual(const Conv& conv, Pixels pixels);
void depthwise(const Depthwise& conv, Pixels pixels);
void float_conv(const FloatConv& a, Pixels pixels);
void map(const Map& a, Pixels pixels);
void quantize_input(const Map& map, Pixels pixels);
void dequantize(const Dequantize& a, Pixels pixels);
void pool(const Pool& a, Pixels pixels);
void adaptive_pool(const AdaptivePool& a, Pixels pixels);
void resize(const Resize& a, Pixels pixels);
void move(const Move& a, Pixels pixels);
void softmax(const Softmax& a, Pixels pixels);
void layer_norm(const LayerNorm& a, Pixels pixels);
void copy_sparse(const SparseCopy& a, int64_t first, int64_t last);

bool finite(const float* values, int64_t count);  // core/session.cpp
void window_map(const WindowMap& m);              // operators/window.cpp
void split(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low, int64_t& low_count,
           int32_t* high, int64_t& high_count, int64_t& total);  // core/delta_paths.cpp
void lane_sums(const float* values, int64_t count, double from, bool squares, double* lanes);  // core/features.cpp
void key_ends(const float* values, int64_t count, int32_t* ends, int64_t* counts);
void key_bins(const float* values, int64_t count, int32_t low, int32_t shift, uint16_t* bins);
void order(const float* values, int32_t count, float* ordered);
bool quantize_steps(const Steps& s, int64_t begin, int64_t end);  // core/simulation.cpp
void scale_sums(const LayerSums& l, int64_t begin, int64_t end);
void cell_sums(const uint8_t* const* rows, int64_t cells, int32_t channels, uint16_t* sums,
               uint16_t* scratch);  // core/gate.cpp
void cell_changes(const CellRow& row, uint16_t* largest, int16_t* change, uint16_t* moved);

}  // namespace vq::reference
