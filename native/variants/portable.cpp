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
