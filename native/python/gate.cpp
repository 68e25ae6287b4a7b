#include "gate.h"

#include <stdexcept>
#include <string>

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

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
    const Kernels* kernels = isa.empty() ? available_kernels().front() : find_kernels(isa);
    if (!kernels) throw std::invalid_argument("this CPU cannot run the kernels '" + isa + "'");
    new (self) Gate({trigger, floor, margin, memory, rest, refresh, block}, height, width, channels, *kernels);
}

// The blocks, bool rows × columns, and whether the frame is whole and moving.
auto step(Gate& gate, const Picture& picture) {
    if (int64_t(picture.shape(0)) != gate.height() || int64_t(picture.shape(1)) != gate.width() ||
        int64_t(picture.shape(2)) != gate.channels())
        throw std::invalid_argument("the picture must be " + std::to_string(gate.height()) + "×" +
                                    std::to_string(gate.width()) + "×" + std::to_string(gate.channels()));
    bool* blocks = new bool[size_t(gate.rows() * gate.columns())];
    const nb::capsule owner(blocks, [](void* p) noexcept { delete[] static_cast<bool*>(p); });
    const size_t shape[2] = {size_t(gate.rows()), size_t(gate.columns())};
    nb::ndarray<nb::numpy, bool> result(blocks, 2, shape, owner);
    Gate::Found found;
    {
        const WithoutGil released;
        const PlainArithmetic plain;
        found = gate.step(picture.data());
        for (size_t i = 0; i < gate.blocks().size(); i++) blocks[i] = gate.blocks()[i] != 0;
    }
    return std::make_tuple(result, found.whole, found.moving);
}

}  // namespace

void define_gate(nb::module_& m) {
    nb::class_<Gate>(m, "Gate", "Which blocks of a network's input are computed anew, frame by frame.")
        .def("__init__", &make_gate, "trigger"_a, "floor"_a, "margin"_a, "memory"_a, "rest"_a, "refresh"_a, "block"_a,
             "height"_a, "width"_a, "channels"_a, "isa"_a = "")
        .def("step", &step, "picture"_a, "uint8 h×w×c → (blocks, whole, moving); the gate moves on.")
        .def("reset", &Gate::reset)
        .def_prop_ro("bytes", &Gate::bytes);
}

}  // namespace vq
