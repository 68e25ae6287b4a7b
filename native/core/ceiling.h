// How fast this machine can multiply and add int8 numbers at best: what kernels are measured against.
#pragma once
#include "kernels.h"

namespace vq {

// Multiply–accumulates per second of so many threads at once: the best of several measurements, which together take
// about `seconds`, since anything else that runs can only slow one down.
double ceiling(const Kernels& kernels, int threads, double seconds);

}  // namespace vq
