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
#include "../kernels/table.h"

namespace vq {

namespace neon {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("neon");
    k.peak = peak;
    return k;
}
}  // namespace neon

extern const Kernels kernels_neon;
constexpr Kernels kernels_neon = neon::all_kernels();

}  // namespace vq
