// Vectors of plain C++, which any compiler turns into what the target has: 8 lanes of 32 bits.
#pragma once
#include <cmath>
#include <cstdint>

#include "../kernels/isa.h"

namespace vq::VQ_ISA {

constexpr int lanes = 8;

struct I32 {
    int32_t v[lanes];
    static I32 set1(int32_t x) { I32 r; for (int32_t& e : r.v) e = x; return r; }
    static I32 load(const int32_t* p) { I32 r; for (int i = 0; i < lanes; i++) r.v[i] = p[i]; return r; }
    static I32 load_s8(const int8_t* p) { I32 r; for (int i = 0; i < lanes; i++) r.v[i] = p[i]; return r; }
    static I32 load_u8(const uint8_t* p) { I32 r; for (int i = 0; i < lanes; i++) r.v[i] = p[i]; return r; }
    void store(int32_t* p) const { for (int i = 0; i < lanes; i++) p[i] = v[i]; }
    friend I32 operator+(I32 a, I32 b) { for (int i = 0; i < lanes; i++) a.v[i] += b.v[i]; return a; }
    friend I32 operator-(I32 a, I32 b) { for (int i = 0; i < lanes; i++) a.v[i] -= b.v[i]; return a; }
    friend I32 operator*(I32 a, I32 b) { for (int i = 0; i < lanes; i++) a.v[i] *= b.v[i]; return a; }
};

struct F32 {
    float v[lanes];
    static F32 set1(float x) { F32 r; for (float& e : r.v) e = x; return r; }
    static F32 load(const float* p) { F32 r; for (int i = 0; i < lanes; i++) r.v[i] = p[i]; return r; }
    void store(float* p) const { for (int i = 0; i < lanes; i++) p[i] = v[i]; }
    void store(float* p, int n) const { for (int i = 0; i < n; i++) p[i] = v[i]; }
    friend F32 operator+(F32 a, F32 b) { for (int i = 0; i < lanes; i++) a.v[i] += b.v[i]; return a; }
    friend F32 operator-(F32 a, F32 b) { for (int i = 0; i < lanes; i++) a.v[i] -= b.v[i]; return a; }
    friend F32 operator*(F32 a, F32 b) { for (int i = 0; i < lanes; i++) a.v[i] *= b.v[i]; return a; }
    friend F32 operator/(F32 a, F32 b) { for (int i = 0; i < lanes; i++) a.v[i] /= b.v[i]; return a; }
    static F32 max(F32 a, F32 b) {
        for (int i = 0; i < lanes; i++) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
        return a;
    }
    static F32 min(F32 a, F32 b) {
        for (int i = 0; i < lanes; i++) a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
        return a;
    }
    static F32 negative(F32 a, F32 b, F32 c) {
        for (int i = 0; i < lanes; i++) a.v[i] = a.v[i] < 0 ? b.v[i] : c.v[i];
        return a;
    }
};

// Sums of float32 values, lane by lane, in float64.
struct Sum {
    double v[lanes];
    static Sum zero() { return {}; }
    void add(F32 a) { for (int i = 0; i < lanes; i++) v[i] += double(a.v[i]); }
    F32 over(double divisor) const {
        F32 r;
        for (int i = 0; i < lanes; i++) r.v[i] = float(v[i] / divisor);
        return r;
    }
    F32 rounded() const { return over(1); }
};

inline F32 to_float(I32 a) { F32 r; for (int i = 0; i < lanes; i++) r.v[i] = float(a.v[i]); return r; }
inline F32 rounded(F32 a) { for (float& e : a.v) e = std::nearbyintf(e); return a; }
inline I32 round_to_int(F32 a) {
    I32 r;
    for (int i = 0; i < lanes; i++) r.v[i] = int32_t(std::nearbyintf(a.v[i]));
    return r;
}
// 2ⁿ, −127 < n < 128.
inline F32 power_of_two(I32 n) {
    F32 r;
    for (int32_t& e : n.v) e = (e + 127) << 23;
    __builtin_memcpy(r.v, n.v, sizeof r.v);
    return r;
}
inline void store_bytes(uint8_t* p, I32 a, int n) { for (int i = 0; i < n; i++) p[i] = uint8_t(a.v[i]); }

}  // namespace vq::VQ_ISA

#include "outside.h"
#include "track.h"
