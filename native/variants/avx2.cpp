// The kernels for AVX2.
#define VQ_ISA avx2
#include "../core/kernels.h"
#include "../simd/avx2.h"
#include "../simd/track.h"
#include "../simd/outside.h"
#include "../kernels/program.h"
#include "../kernels/codes.h"
#include "../kernels/codes_avx2.h"
#include "../kernels/codes_tile.h"
#include "../kernels/gemm_avx2.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/winograd_avx2.h"
#include "../kernels/depthwise.h"
#include "../kernels/depthwise_avx2.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/changes_avx2.h"
#include "../kernels/features.h"
#include "../kernels/features_avx2.h"
#include "../kernels/table.h"

namespace vq {

namespace avx2 {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("avx2");
    k.pairs = true;
    k.winograd = winograd;
    k.depthwise = depthwise_pairs;
    k.quantize_input = quantize_input_vector;
    k.between = between_vector;
    k.peak = peak;
    return k;
}
}  // namespace avx2

extern const Kernels kernels_avx2;
constexpr Kernels kernels_avx2 = avx2::all_kernels();

}  // namespace vq
