// The kernels for AVX-512 with VNNI, and the same with AMX's products for convolutions: all but those is common, and takes
// a minute to compile.
#define VQ_ISA avx512
#define VQ_VECTORS "../simd/avx512.h"
#define VQ_CODES "../kernels/codes_f32u8_1x64_avx512.h"
#define VQ_PRODUCTS "../kernels/gemm_u8s8_6x64_avx512.h"
#include "../kernels/conv_u8s8_32x32_amx.h"
#include "../kernels/depthwise_u8s8_1x64_avx512.h"
#include "../kernels/input_f32u8_16x3_avx512.h"
#include "../kernels/split_u16_16_avx512.h"
#include "../kernels/table.h"

namespace vq {

namespace avx512 {
constexpr Kernels all_kernels() {
    Kernels k = common_kernels("avx512");
    k.depthwise = depthwise_vnni;
    k.quantize_input = quantize_input_vector;
    k.split = split_vector;
    k.peak = peak;
    return k;
}
constexpr Kernels amx_kernels() {
    Kernels k = all_kernels();
    k.name = "amx";
    k.tiles = true;
    k.conv = conv_tiles;
    k.peak = peak_tiles;
    k.thread = &tile_state;
    return k;
}
}  // namespace avx512

extern const Kernels kernels_avx512, kernels_amx;
constexpr Kernels kernels_avx512 = avx512::all_kernels(), kernels_amx = avx512::amx_kernels();

}  // namespace vq
