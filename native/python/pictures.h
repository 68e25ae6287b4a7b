// The part of the Python module that makes pictures into networks' inputs.
#pragma once
#include <nanobind/nanobind.h>

namespace vq {

void define_pictures(nanobind::module_& m);

}  // namespace vq
