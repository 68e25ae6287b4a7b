// The kernels for AVX2.
#define VQ_ISA avx2
#define VQ_VECTORS "../simd/avx2.h"
#define VQ_CODES "../kernels/codes_f32u8_1x32_avx2.h"
#define VQ_PRODUCTS "../kernels/gemm_u8s8_6x16_avx2.h"
#include "../kernels/depthwise_u8s8_1x32_avx2.h"
#include "../kernels/input_f32u8_8x3_avx2.h"
#include "../kernels/table.h"
#include "../kernels/winograd_u8s8_2x2_avx2.h"

namespace vq {

namespace avx2 {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("avx2");
    k.pairs = true;
    k.winograd = winograd;
    k.depthwise = depthwise_pairs;
    k.quantize_input = quantize_input_vector;
    k.peak = peak;
    return k;
}
}  // namespace avx2

extern const Kernels kernels_avx2;
constexpr Kernels kernels_avx2 = avx2::all_kernels();

}  // namespace vq
