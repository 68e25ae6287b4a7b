// The Python module videoquant._native: plans and sessions.
#include <algorithm>
#include <optional>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "../core/arithmetic.h"
#include "../core/ceiling.h"
#include "../core/dispatch.h"
#include "../core/operator.h"
#include "../core/session.h"
#include "gate.h"
#include "parse.h"
#include "pictures.h"
#include "reader.h"
#include "simulation.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace vq {
namespace {

void check_threads(int threads) {
    if (threads < 1 || threads > 1024) throw std::invalid_argument("threads must be 1 to 1024");
}

// A Python function that takes a number of bytes and raises where they are too many; None allows all.
Allow allowed_by(const std::optional<nb::callable>& check) {
    if (!check) return nullptr;
    return [check = *check](double bytes) { check(bytes); };
}

void make_session(Session* self, std::shared_ptr<Plan> plan, const std::string& isa, int threads,
                  const std::string& mode, const std::optional<nb::callable>& check) {
    check_threads(threads);
    if (mode != "frame" && mode != "exact" && mode != "regions")
        throw std::invalid_argument("mode must be frame, exact or regions");
    const Kernels& kernels = kernels_named(isa);
    const PlainArithmetic plain;
    const Partly partly = mode == "frame" ? Partly::none : mode == "regions" ? Partly::regions : Partly::changes;
    new (self) Session(std::move(plan), kernels, threads, partly, allowed_by(check));
}

const ProgramPlan& program(const Session& s, const std::string& name) {
    const ProgramPlan* found = s.plan().program(name);
    if (!found) throw std::invalid_argument("the plan has no program '" + name + "'");
    return *found;
}

size_t slot_index(const Session& s, int64_t slot) {
    if (slot < 0 || slot >= int64_t(s.plan().slots.size())) throw nb::index_error("no such slot");
    return size_t(slot);
}

using Input = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void check_size(const Session& s, const Input& input) {
    const Slot& slot = s.plan().slots[0];
    if (int64_t(input.shape(0)) != slot.h || int64_t(input.shape(1)) != slot.w || int64_t(input.shape(2)) != slot.c)
        throw std::invalid_argument("the input must be " + std::to_string(slot.h) + "×" + std::to_string(slot.w) + "×" +
                                    std::to_string(slot.c));
}

// A view of a slot: h × w × c floats, or h × w × stride codes.
nb::object slot_view(nb::handle self, int64_t index) {
    const Session& s = nb::cast<const Session&>(self);
    const size_t i = slot_index(s, index);
    const Slot& slot = s.plan().slots[i];
    if (slot.sparse) throw nb::index_error("a sparse slot is no tensor; ask for sparse()");
    if (!s.data(int32_t(i))) throw nb::index_error("this slot has no memory: it is pooled as it is computed");
    const size_t shape[3] = {size_t(slot.h), size_t(slot.w), size_t(slot.c)};
    const int64_t strides[3] = {slot.w * slot.stride(), slot.stride(), 1};
    if (slot.codes)
        return nb::cast(nb::ndarray<nb::numpy, uint8_t>(s.data(int32_t(i)), 3, shape, self, strides));
    return nb::cast(nb::ndarray<nb::numpy, float>(s.data(int32_t(i)), 3, shape, self, strides));
}

// measure: called as measure(update, value h × w × c) for every range that the caller measures; gives scale, zero, low
// and high of the grid.
void run(nb::handle self, const std::string& name, const Input& input, const std::optional<nb::callable>& measure,
         int64_t first, int64_t last) {
    Session& s = nb::cast<Session&>(self);
    const ProgramPlan& program = vq::program(s, name);
    check_size(s, input);
    const int64_t count = int64_t(program.ops.size());
    if (last < 0) last = count;
    if (first < 0 || first > last || last > count) throw nb::index_error("no such operators");
    WithoutGil released;
    const PlainArithmetic plain;
    if (!measure) return s.run(program, input.data(), first, last);
    s.run(program, input.data(), first, last, [&](int64_t update) {
        const WithoutGil::Back held(released);
        const int32_t slot = program.updates[size_t(update)].slot;
        const nb::object value = slot == 0 ? nb::cast(input) : slot_view(self, slot);
        const auto [scale, zero, low, high] =
            nb::cast<std::tuple<double, int32_t, int32_t, int32_t>>((*measure)(update, value));
        return make_grid(scale, zero, low, high);
    });
}

void look(Session& s, const nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>& blocks,
          int32_t block, int32_t grow, bool whole, bool moving) {
    Region region;
    region.rows = int32_t(blocks.shape(0)), region.columns = int32_t(blocks.shape(1));
    region.blocks.assign(blocks.data(), blocks.data() + blocks.size());
    region.block = block, region.grow = grow, region.whole = whole, region.moving = moving;
    s.look(region);
}

using Picture = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void take_picture(Session& s, const Picture& picture, const std::vector<float>& gain, const std::vector<float>& offset) {
    const Slot& slot = s.plan().slots[0];
    if (int64_t(picture.shape(0)) != slot.h || int64_t(picture.shape(1)) != slot.w ||
        int64_t(picture.shape(2)) != slot.c || int64_t(gain.size()) != slot.c || int64_t(offset.size()) != slot.c)
        throw std::invalid_argument("the picture is not of the input's size");
    const WithoutGil released;
    const PlainArithmetic plain;
    s.take_picture(picture.data(), gain.data(), offset.data());
}

// The list of a sparse slot: where each pixel's elements begin (h · w + 1), their channels, and values.
nb::object sparse_view(nb::handle self, int64_t index) {
    const Session& s = nb::cast<const Session&>(self);
    const size_t i = slot_index(s, index);
    if (!s.plan().slots[i].sparse) throw nb::index_error("not a sparse slot");
    const SparseList& list = s.sparse(int32_t(i));
    const Sparse view = list.view();
    const size_t pixels[1] = {size_t(s.plan().slots[i].pixels()) + 1}, count[1] = {size_t(list.size())};
    const int64_t channels[1] = {sizeof(SparseElement) / 2}, values[1] = {sizeof(SparseElement) / 4};
    return nb::make_tuple(nb::ndarray<nb::numpy, const int32_t>(view.begin, 1, pixels, self),
                          nb::ndarray<nb::numpy, const uint16_t>(&view.elements->channel, 1, count, self, channels),
                          nb::ndarray<nb::numpy, const float>(&view.elements->value, 1, count, self, values));
}

nb::object moved_view(nb::handle self, int64_t index) {
    const Session& s = nb::cast<const Session&>(self);
    const size_t i = slot_index(s, index);
    const uint16_t* moved = s.changed(int32_t(i));
    if (!moved) return nb::none();
    const size_t shape[2] = {size_t(s.plan().slots[i].h), size_t(s.plan().slots[i].w)};
    return nb::cast(nb::ndarray<nb::numpy, const uint16_t>(moved, 2, shape, self));
}

}  // namespace
}  // namespace vq

NB_MODULE(_native, m) {
    using namespace vq;
    m.doc() = "The int8 engine's native part; see videoquant.engine.";
    nb::set_leak_warnings(false);  // what daemon threads hold when the interpreter ends goes with the process
    m.def("operators", [] {
        std::vector<std::string> kinds;
        for (const OpType* type : operator_types()) kinds.emplace_back(type->kind);
        std::sort(kinds.begin(), kinds.end());
        return kinds;
    }, "The kinds of operators that a plan may hold.");
    m.def("isas", [] {
        std::vector<std::string> names;
        for (const Kernels* kernels : available_kernels()) names.emplace_back(kernels->name);
        return names;
    }, "The kernels this CPU can run, best first; 'reference' is the scalar definition.");
    m.def("ceiling", [](int threads, double seconds) {
        check_threads(threads);
        if (!(seconds > 0 && seconds <= 60)) throw std::invalid_argument("seconds must be more than 0, at most 60");
        const WithoutGil released;
        return ceiling(*available_kernels().front(), threads, seconds);
    }, "threads"_a, "seconds"_a, "int8 multiply-accumulates per second, the best of several measurements.");
    define_pictures(m);
    define_gate(m);
    define_simulation(m);
    nb::class_<Plan>(m, "Plan", "A validated plan with packed weights; shared by sessions.")
        .def("__init__", [](Plan* self, nb::handle spec, const std::optional<nb::callable>& check) {
            const PlainArithmetic plain;
            new (self) Plan(parse_plan(reader_of(spec, "plan"), allowed_by(check)));
        }, "spec"_a, "check"_a = nb::none());
    nb::class_<Session>(m, "Session", "One stream's buffers and threads.")
        .def("__init__", &make_session, "plan"_a, "isa"_a = "", "threads"_a = 1, "mode"_a = "frame",
             "check"_a = nb::none())
        .def("run", &run, "program"_a, "input"_a, "measure"_a = nb::none(), "first"_a = 0, "last"_a = -1,
             "Run operators first … last − 1 of a program, with the range updates before them; −1 is to its end.")
        .def("finite", [](Session& s, const Input& input) {
            check_size(s, input);
            const WithoutGil released;
            return s.finite(input.data());
        }, "input"_a, "Whether it holds neither NaN nor infinity.")
        .def("slot", &slot_view, "index"_a, "A view of a slot's memory: h×w×c.")
        .def("sparse", &sparse_view, "index"_a,
             "What the last frame left in a sparse slot: where each pixel's elements begin, column · c + channel, and "
             "values.")
        .def("moved", &moved_view, "index"_a, "Per pixel how many groups of 4 channels changed; None: all may have.")
        .def("always_follow", &Session::always_follow,
             "Follow changes even where it costs more than it saves, to measure what there is to save.")
        .def("joined", [](const Session& s, const std::string& name) { return s.fused(program(s, name)); },
             "program"_a, "The convolutions that run together with the pool behind them, by number: what lies between is "
                          "stored nowhere.")
        .def("look", &look, "blocks"_a, "block"_a, "grow"_a, "whole"_a, "moving"_a,
             "With regions: what the next frame computes anew; blocks of the input, a byte each.")
        .def("take_picture", &take_picture, "picture"_a, "gain"_a, "offset"_a,
             "With regions: the input's pixels, from bytes · gain + offset; the run's input is then slot 0.")
        .def("refresh", &Session::refresh, "Compute the next frame in full.")
        .def("forget", &Session::forget, "The next frame is the first of a video: what slots keep becomes 0.")
        .def("layers", [](const Session& s, const std::string& name) {
            static const char* const path[] = {"dense", "listed", "residual"};
            nb::list result;
            const auto& ops = program(s, name).ops;
            const auto& work = s.work(program(s, name));
            for (size_t i = 0; i < ops.size(); i++)
                result.append(nb::make_tuple(ops[i]->name, ops[i]->macs, work[i].macs, path[size_t(work[i].path)]));
            return result;
        }, "program"_a = "key", "Of the last frame, by operator: name, MACs of all of it, MACs done, how.")
        .def_prop_ro("work", [](const Session& s) { return nb::make_tuple(s.macs_done(), s.macs_dense()); },
                     "MACs done and MACs of a dense frame, of the last frame.")
        .def_prop_ro("memory_bytes", &Session::memory_bytes);
}
