#pragma once
#include <nanobind/nanobind.h>

#include "../core/reader.h"

namespace vq {

// A reader of a Python dict.
Reader reader_of(nanobind::handle dict, const std::string& where);

}  // namespace vq
