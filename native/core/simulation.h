// What simulation does to whole tensors, on several threads. Nothing is added up, so that results depend on neither
// their number nor the instruction set.
#pragma once
#include "kernels.h"

namespace vq {

// `kernels.quantize_steps` and `kernels.scale_sums` over all of a tensor. threads: at most; calls that come from several
// threads at once use one each.
bool quantize_steps(const Kernels& kernels, const Steps& steps, int64_t count, int threads);
void scale_sums(const Kernels& kernels, const LayerSums& sums, int64_t rows, int threads);

}  // namespace vq
