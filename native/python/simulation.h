// What simulation does to whole tensors, as the Python module shows it.
#pragma once
#include <nanobind/nanobind.h>

namespace vq {

void define_simulation(nanobind::module_& m);

}  // namespace vq
