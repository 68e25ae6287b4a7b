#include "pictures.h"

#include <array>
#include <stdexcept>

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include "../core/arithmetic.h"
#include "../core/resize_picture.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vq {
namespace {

using Rgb = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Plane = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// A new array, which owns its memory.
template <typename T, size_t N>
nb::ndarray<nb::numpy, T> owned(T* data, const size_t (&shape)[N]) {
    const nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T>(data, N, shape, owner);
}

void check_rgb(const Rgb& in) {
    if (in.shape(2) != 3) throw std::invalid_argument("a picture has three channels");
}

void check_sizes(size_t h, size_t w, int64_t to_h, int64_t to_w) {
    for (const int64_t side : {int64_t(h), int64_t(w), to_h, to_w})
        if (side < 1 || side > 1 << 20) throw std::invalid_argument("a side has 1 to 1048576 pixels");
}

auto resized_rgb(const Rgb& in, int64_t to_h, int64_t to_w) {
    check_rgb(in);
    check_sizes(in.shape(0), in.shape(1), to_h, to_w);
    uint8_t* out = new uint8_t[size_t(to_h * to_w * 3)];
    const auto result = owned(out, {size_t(to_h), size_t(to_w), size_t(3)});
    const WithoutGil released;
    const PlainArithmetic plain;
    resize_rgb(in.data(), int64_t(in.shape(0)), int64_t(in.shape(1)), out, to_h, to_w);
    return result;
}

auto resized_plane(const Plane& in, int64_t to_h, int64_t to_w) {
    check_sizes(in.shape(0), in.shape(1), to_h, to_w);
    float* out = new float[size_t(to_h * to_w)];
    const auto result = owned(out, {size_t(to_h), size_t(to_w)});
    const WithoutGil released;
    const PlainArithmetic plain;
    resize_plane(in.data(), int64_t(in.shape(0)), int64_t(in.shape(1)), out, to_h, to_w);
    return result;
}

auto scaled_rgb(const Rgb& in, const std::array<float, 3>& gain, const std::array<float, 3>& offset, bool reverse) {
    check_rgb(in);
    float* out = new float[in.size()];
    const auto result = owned(out, {in.shape(0), in.shape(1), size_t(3)});
    const WithoutGil released;
    const PlainArithmetic plain;
    scale_rgb(in.data(), int64_t(in.size() / 3), gain.data(), offset.data(), reverse, out);
    return result;
}

auto levels_of(const nb::ndarray<const float, nb::ndim<4>, nb::c_contig, nb::device::cpu>& in,
               const std::vector<double>& gain, const std::vector<double>& offset) {
    const size_t channels = in.shape(3);
    if (gain.size() != channels || offset.size() != channels || channels == 0)
        throw std::invalid_argument("a gain and an offset for each channel");
    uint8_t* out = new uint8_t[in.size()];
    const auto result = owned(out, {in.shape(0), in.shape(1), in.shape(2), channels});
    const WithoutGil released;
    const PlainArithmetic plain;
    levels(in.data(), int64_t(in.size() / channels), int64_t(channels), gain.data(), offset.data(), out);
    return result;
}

}  // namespace

void define_pictures(nb::module_& m) {
    m.def("resize_rgb", &resized_rgb, "pixels"_a, "height"_a, "width"_a,
          "uint8 h×w×3, resized bilinearly with antialiasing, in whole numbers.");
    m.def("resize_plane", &resized_plane, "plane"_a, "height"_a, "width"_a,
          "float32 h×w, resized bilinearly with antialiasing.");
    m.def("levels", &levels_of, "values"_a, "gain"_a, "offset"_a,
          "float32 n×h×w×c → uint8: (value − offset) / gain by channel, rounded half to even, 0 to 255.");
    m.def("scale_rgb", &scaled_rgb, "pixels"_a, "gain"_a, "offset"_a, "reverse"_a,
          "uint8 h×w×3 → float32: · gain + offset by channel; reverse: of BGR.");
}

}  // namespace vq
