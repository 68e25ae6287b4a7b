// The kernels for Arm NEON with dot products.
#define VQ_ISA neon
#define VQ_VECTORS "../simd/neon.h"
#define VQ_CODES "../kernels/codes_none.h"
#define VQ_PRODUCTS "../kernels/gemm_u8s8_6x16_neon.h"
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
