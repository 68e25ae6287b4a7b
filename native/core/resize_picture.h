// Pictures as networks take them: resized, and from bytes to float32. No plan and no session: free functions.
#pragma once
#include <cstdint>

namespace vq {

// Bilinear resizing with antialiasing: where a picture shrinks, the triangle grows with it. Half-pixel centres.
// First along rows, then along columns, each of them only where the size changes. Both are what PyTorch's
// interpolate(mode="bilinear", antialias=True) gives on CPUs, bit for bit; the reference is in
// tests/network/resize_reference.py.

// in: h×w×3 bytes, in C order; out: to_h×to_w×3. Weights are whole numbers of 16 bits, of which the largest
// takes as many bits as there are; every pass rounds to a byte. The scheme is Pillow-SIMD's.
void resize_rgb(const uint8_t* in, int64_t h, int64_t w, uint8_t* out, int64_t to_h, int64_t to_w);

// in: h×w numbers; out: to_h×to_w. Weights and sums are float32.
void resize_plane(const float* in, int64_t h, int64_t w, float* out, int64_t to_h, int64_t to_w);

// out[i] = in[i] · gain[c] + offset[c], rounded after either. in, out: so many pixels of three channels; with
// reverse, out's channels stand in the opposite order, to which gain and offset belong.
void scale_rgb(const uint8_t* in, int64_t pixels, const float gain[3], const float offset[3], bool reverse, float* out);

// The bytes that values stand for: out[i] = (in[i] − offset[c]) / gain[c] in float64, rounded half to even, 0 to 255. in,
// out: so many pixels of so many channels.
void levels(const float* in, int64_t pixels, int64_t channels, const double* gain, const double* offset, uint8_t* out);

}  // namespace vq
