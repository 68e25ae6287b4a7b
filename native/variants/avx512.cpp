// The kernels for AVX-512 with VNNI.
#define VQ_ISA avx512
#include "../core/kernels.h"
#include "../simd/avx512.h"
#include "../kernels/program.h"
#include "../kernels/codes.h"
#include "../kernels/codes_avx512.h"
#include "../kernels/codes_tile.h"
#include "../kernels/gemm_avx512.h"
#include "../kernels/sparse_taps.h"
#include "../kernels/conv.h"
#include "../kernels/depthwise.h"
#include "../kernels/depthwise_avx512.h"
#include "../kernels/others.h"
#include "../kernels/changes.h"
#include "../kernels/changes_avx512.h"
#include "../kernels/features.h"
#include "../kernels/features_avx512.h"
#include "../kernels/table.h"

namespace vq {

namespace avx512 {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("avx512");
    k.depthwise = depthwise_vnni;
    k.quantize_input = quantize_input_vector;
    k.split = split_vector;
    k.between = between_vector;
    k.peak = peak;
    return k;
}
}  // namespace avx512

extern const Kernels kernels_avx512;
constexpr Kernels kernels_avx512 = avx512::all_kernels();

}  // namespace vq
