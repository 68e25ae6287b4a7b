// The kernels for Arm NEON with dot products.
#define VQ_ISA neon
#include "../core/kernels.h"
#include "../simd/neon.h"
#include "../simd/track.h"
#include "../simd/outside.h"
#include "../kernels/program.h"
#include "../kernels/codes_generic.h"
#include "../kernels/gemm_neon.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/depthwise.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/features.h"

namespace vq {
extern const Kernels kernels_neon;
const Kernels kernels_neon = {"neon", false, neon::conv, nullptr, neon::conv_residual, neon::depthwise,
                                  VQ_OTHER_KERNELS(neon), neon::quantize_input, neon::finite, neon::window_map,
                                  neon::split, neon::lane_sums, neon::between, neon::order,
                                  neon::peak};
}  // namespace vq
