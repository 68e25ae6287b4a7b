#include "simulation.h"

#include <cstdint>
#include <string>

#include <nanobind/stl/string.h>

#include "../core/arithmetic.h"
#include "../core/dispatch.h"
#include "../core/simulation.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vq {
namespace {

// Tensors come as addresses, which are had in a tenth of the time that arrays take: quantizers/one_pass.py, which alone
// calls this, has looked at their sizes, types and layouts.
template <class T>
T* at(uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

bool steps_of(uintptr_t value, int64_t count, float inverse, float first, float last, float scale, uintptr_t steps,
              uintptr_t reference, uintptr_t next, int threads, const std::string& isa) {
    const Kernels& kernels = kernels_named(isa);
    const Steps s{at<const float>(value), at<const float>(reference), inverse,        first, last, scale,
                  at<float>(steps),       at<float>(next)};
    const WithoutGil released;
    const PlainArithmetic plain;
    return quantize_steps(kernels, s, count, threads);
}

void scaled(uintptr_t sums, int64_t rows, int64_t columns, int64_t channels, bool by_row, uintptr_t scale, uintptr_t bias,
            uintptr_t before, int threads, const std::string& isa) {
    const Kernels& kernels = kernels_named(isa);
    const LayerSums l{at<float>(sums),       columns,
                      channels,              by_row,
                      at<const float>(scale), at<const float>(bias),
                      at<const float>(before)};
    const WithoutGil released;
    const PlainArithmetic plain;
    scale_sums(kernels, l, rows, threads);
}

}  // namespace

void define_simulation(nb::module_& m) {
    m.def("quantize_steps", &steps_of, "value"_a, "count"_a, "inverse"_a, "first"_a, "last"_a, "scale"_a, "steps"_a,
          "reference"_a, "next"_a, "threads"_a, "isa"_a = "",
          "steps = clamp(round(x · inverse), first, last) of x = value − reference, and next = steps · scale + "
          "reference; whether all of value is finite. Addresses of float32; 0: there is none.");
    m.def("scale_sums", &scaled, "sums"_a, "rows"_a, "columns"_a, "channels"_a, "by_row"_a, "scale"_a, "bias"_a,
          "before"_a, "threads"_a, "isa"_a = "", "In place: sums · scale + bias + before. Addresses of float32.");
}

}  // namespace vq
