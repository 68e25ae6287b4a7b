// A convolution and the pool behind it, together: a few rows at a time, so that the whole map between them, often the
// largest of a network, is never stored.
#pragma once
#include "convolution.h"
#include "pool.h"

namespace vq {

// Whether operator i is a convolution whose result goes to the pool behind it and nowhere else. partly: what is
// computed of frames that are not computed in full.
bool fuses_with_pool(const Plan& plan, const ProgramPlan& program, size_t i, const Kernels& kernels, Partly partly);

// Computes the rows of the pool that the spans (first, last + 1) name.
void run_fused(Convolution& conv, const PoolBound& pool, Runner& runner,
               const std::vector<std::pair<int32_t, int32_t>>& spans);

}  // namespace vq
