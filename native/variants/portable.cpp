// The kernels in plain C++, for any CPU.
#define VQ_ISA portable
#include "../core/kernels.h"
#include "../simd/portable.h"
#include "../simd/track.h"
#include "../simd/outside.h"
#include "../kernels/program.h"
#include "../kernels/codes_generic.h"
#include "../kernels/gemm_generic.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/depthwise.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/features.h"

namespace vq {
extern const Kernels kernels_portable;
const Kernels kernels_portable = {"portable", false, portable::conv, nullptr, portable::conv_residual,
                                  portable::depthwise,
                                  VQ_OTHER_KERNELS(portable), portable::quantize_input, portable::finite,
                                  portable::window_map, portable::split, portable::lane_sums,
                                  portable::between, portable::order, portable::peak};
}  // namespace vq
