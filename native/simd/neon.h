// Vectors of Arm's NEON: 4 lanes of 32 bits.
#pragma once
#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include "../kernels/isa.h"

namespace vq::VQ_ISA {

constexpr int lanes = 4;

struct I32 {
    int32x4_t v;
    static I32 set1(int32_t x) { return {vdupq_n_s32(x)}; }
    static I32 load(const int32_t* p) { return {vld1q_s32(p)}; }
    static I32 load_s8(const int8_t* p) { return {vmovl_s16(vget_low_s16(vmovl_s8(four(p))))}; }
    static I32 load_u8(const uint8_t* p) {
        return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_s8(four(p))))))};
    }
    void store(int32_t* p) const { vst1q_s32(p, v); }
    friend I32 operator+(I32 a, I32 b) { return {vaddq_s32(a.v, b.v)}; }
    friend I32 operator-(I32 a, I32 b) { return {vsubq_s32(a.v, b.v)}; }
    friend I32 operator*(I32 a, I32 b) { return {vmulq_s32(a.v, b.v)}; }

private:
    static int8x8_t four(const void* p) {
        uint32_t bytes;
        __builtin_memcpy(&bytes, p, 4);
        return vreinterpret_s8_u32(vdup_n_u32(bytes));
    }
};

struct F32 {
    float32x4_t v;
    static F32 set1(float x) { return {vdupq_n_f32(x)}; }
    static F32 load(const float* p) { return {vld1q_f32(p)}; }
    void store(float* p) const { vst1q_f32(p, v); }
    // The first n lanes only.
    void store(float* p, int n) const {
        if (n == lanes) return store(p);
        float all[lanes];
        store(all);
        for (int i = 0; i < n; i++) p[i] = all[i];
    }
    friend F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
    friend F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
    friend F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
    friend F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
    // b where one of them is NaN or both are zeros, as on other machines; vmaxq_f32 differs.
    static F32 max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
    static F32 min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
    // a < 0 ? b : c
    static F32 negative(F32 a, F32 b, F32 c) { return {vbslq_f32(vcltzq_f32(a.v), b.v, c.v)}; }
};

// Sums of float32 values, lane by lane, in float64.
struct Sum {
    float64x2_t low, high;
    static Sum zero() { return {vdupq_n_f64(0), vdupq_n_f64(0)}; }
    void add(F32 a) {
        low = vaddq_f64(low, vcvt_f64_f32(vget_low_f32(a.v)));
        high = vaddq_f64(high, vcvt_high_f64_f32(a.v));
    }
    F32 over(double divisor) const {
        const float64x2_t d = vdupq_n_f64(divisor);
        return Sum{vdivq_f64(low, d), vdivq_f64(high, d)}.rounded();
    }
    F32 rounded() const { return {vcvt_high_f32_f64(vcvt_f32_f64(low), high)}; }
};

inline F32 to_float(I32 a) { return {vcvtq_f32_s32(a.v)}; }
inline F32 rounded(F32 a) { return {vrndnq_f32(a.v)}; }
inline I32 round_to_int(F32 a) { return {vcvtnq_s32_f32(a.v)}; }  // half to even
// 2ⁿ, −127 < n < 128.
inline F32 power_of_two(I32 n) {
    return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n.v, vdupq_n_s32(127)), 23))};
}
// The low bytes of the first n lanes.
inline void store_bytes(uint8_t* p, I32 a, int n) {
    const int16x4_t words = vmovn_s32(a.v);
    const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(words, words))), 0);
    if (n == lanes) __builtin_memcpy(p, &four, 4);
    else __builtin_memcpy(p, &four, std::size_t(n));
}

}  // namespace vq::VQ_ISA

#include "outside.h"
#include "track.h"
