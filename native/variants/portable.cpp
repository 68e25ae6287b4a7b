// The kernels in plain C++, for any CPU.
#define VQ_ISA portable
#define VQ_VECTORS "../simd/portable.h"
#define VQ_CODES "../kernels/codes_none.h"
#define VQ_PRODUCTS "../kernels/gemm_u8s8_1x64_portable.h"
#include "../kernels/table.h"

namespace vq {

namespace portable {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("portable");
    k.peak = peak;
    return k;
}
}  // namespace portable

extern const Kernels kernels_portable;
constexpr Kernels kernels_portable = portable::all_kernels();

}  // namespace vq
