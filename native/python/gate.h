// The gate at the input, as the Python module shows it.
#pragma once
#include <nanobind/nanobind.h>

namespace vq {

void define_gate(nanobind::module_& m);

}  // namespace vq
