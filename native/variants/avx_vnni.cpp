// The kernels for AVX-VNNI: AVX2's, with dot products of bytes.
#define VQ_ISA avx_vnni
#define VQ_VECTORS "../simd/avx2.h"
#define VQ_CODES "../kernels/codes_f32u8_1x32_avx2.h"
#define VQ_PRODUCTS "../kernels/gemm_u8s8_6x16_avx_vnni.h"
#include "../kernels/depthwise_u8s8_1x32_avx2.h"
#include "../kernels/input_f32u8_8x3_avx2.h"
#include "../kernels/table.h"

namespace vq {

namespace avx_vnni {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("avx_vnni");
    k.depthwise = depthwise_pairs;
    k.quantize_input = quantize_input_vector;
    k.peak = peak;
    return k;
}
}  // namespace avx_vnni

extern const Kernels kernels_avx_vnni;
constexpr Kernels kernels_avx_vnni = avx_vnni::all_kernels();

}  // namespace vq
