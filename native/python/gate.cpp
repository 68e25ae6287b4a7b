#include "gate.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include "../core/arithmetic.h"
#include "../core/dispatch.h"
#include "../core/gate.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vq {
namespace {

using Picture = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void make_gate(Gate* self, double trigger, int64_t floor, int64_t margin, int64_t memory, int64_t rest, int64_t refresh,
               int64_t block, int64_t height, int64_t width, int32_t channels, const std::string& isa) {
    const Kernels& kernels = kernels_named(isa);
    new (self) Gate({trigger, floor, margin, memory, rest, refresh, block}, height, width, channels, kernels);
}

// The blocks, bool rows × columns; whether the frame is whole, and moving; and the state after it.
auto step(const Gate& gate, const GateState& state, const Picture& picture) {
    const GateSizes& of = gate.sizes();
    if (int64_t(picture.shape(0)) != of.h || int64_t(picture.shape(1)) != of.w || int64_t(picture.shape(2)) != of.c)
        throw std::invalid_argument("the picture must be " + std::to_string(of.h) + "×" + std::to_string(of.w) + "×" +
                                    std::to_string(of.c));
    if (state.since.size() != size_t(of.rows * of.columns) || state.cells != of.cell_rows * of.cell_columns * of.c)
        throw std::invalid_argument("the state is of another gate");
    bool* blocks = new bool[state.since.size()];
    const nb::capsule owner(blocks, [](void* p) noexcept { delete[] static_cast<bool*>(p); });
    const size_t shape[2] = {size_t(of.rows), size_t(of.columns)};
    nb::ndarray<nb::numpy, bool> result(blocks, 2, shape, owner);
    Gate::Found found;
    auto after = std::make_unique<GateState>();
    {
        const WithoutGil released;
        const PlainArithmetic plain;
        found = gate.step(state, picture.data(), *after, reinterpret_cast<uint8_t*>(blocks));
    }
    return std::make_tuple(result, found.whole, found.moving, std::move(after));
}

}  // namespace

void define_gate(nb::module_& m) {
    nb::class_<GateState>(m, "GateState", "What a gate knows of the frames before; never changes.")
        .def_prop_ro("bytes", &GateState::bytes);
    nb::class_<Gate>(m, "Gate", "Which blocks of a network's input are computed anew, frame by frame.")
        .def("__init__", &make_gate, "trigger"_a, "floor"_a, "margin"_a, "memory"_a, "rest"_a, "refresh"_a, "block"_a,
             "height"_a, "width"_a, "channels"_a, "isa"_a = "")
        .def("first", &Gate::first)
        .def("step", &step, "state"_a, "picture"_a, "uint8 h×w×c → (blocks, whole, moving, the state after it).");
}

}  // namespace vq
