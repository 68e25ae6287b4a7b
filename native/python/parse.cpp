// From the plan that lowering wrote (a dict of plain values and arrays) to the native one: slots, grids, programs and
// their steps. Operators read what they have of their own (operators/). Nothing in it is trusted: whatever does not fit
// raises ValueError, since a plan may come from a damaged file.
#include "parse.h"

#include "../core/operator.h"
#include "../operators/steps.h"
#include "parse_updates.h"

#include <algorithm>

namespace vq {
namespace {

class Builder {
public:
    Builder(const Reader& spec, const Allow& allow) : spec_(spec), allow_(allow) {}

    Plan build() {
        if (spec_.integer("version", 0, 1 << 30) != 3) fail("plan: its version is not one that this release reads");
        slots();
        for (const Reader& r : spec_.list("grids", "grid"))
            plan_.grids.push_back(make_grid(r.number("scale"), r.integer("zero", 0, 255), r.integer("low", 0, 255),
                                            r.integer("high", 0, 255)));
        const Reader programs = spec_.dict("programs");
        UpdateParser updates(plan_);
        for (const char* name : {"key", "residual"}) {
            if (!programs.has(name)) continue;
            const Reader r = programs.dict(name);
            ProgramPlan program;
            program.name = name;
            for (const Reader& item : r.list("ops", std::string(name) + " op")) program.ops.push_back(op(item));
            updates.parse(r, program);
            plan_.programs.push_back(std::move(program));
        }
        if (!plan_.program("key")) fail("plan: it has no program 'key'");
        for (const auto& [name, slot] : spec_.entries("outputs")) {
            if (slot < 0 || slot >= int64_t(plan_.slots.size()) || !plan_.slots[size_t(slot)].floats())
                fail("plan: an output is not an f32 slot");
            plan_.outputs.emplace_back(name, int32_t(slot));
        }
        return std::move(plan_);
    }

private:
    void slots() {
        int64_t elements = 0;
        for (const Reader& r : spec_.list("slots", "slot")) {
            Slot slot;
            slot.h = r.integer("h", 1, largest_side);
            slot.w = r.integer("w", 1, largest_side);
            slot.c = r.integer("c", 1, most_channels);
            const auto type = r.text("type");
            if (type != "u8" && type != "f32" && type != "sparse") r.fail(": its type is neither u8, f32 nor sparse");
            slot.codes = type == "u8";
            slot.sparse = type == "sparse";
            if (slot.sparse && slot.c == most_channels) r.fail(": too many channels for a sparse part");
            slot.keep = r.boolean("keep", false);
            slot.residual = r.boolean("residual", false);
            elements += int64_t(slot.bytes());
            if (slot.pixels() * slot.stride() >= most_elements || elements > (int64_t(1) << 36)) r.fail(": too large");
            plan_.slots.push_back(slot);
        }
        if (plan_.slots.empty() || !plan_.slots[0].floats()) fail("plan: slot 0, the input, must be f32");
    }

    void take(double bytes) {
        bytes_ += bytes;
        if (allow_) allow_(bytes_);
    }

    std::unique_ptr<Op> op(const Reader& numbered) {
        OpHead head;
        head.name = numbered.text("name", "");
        const Reader reader = head.name.empty() ? numbered : numbered.at(numbered.where() + ", " + head.name);
        const std::string kind = reader.text("kind");
        const OpReader r(reader, plan_, kind, [this](double bytes) { take(bytes); });
        const auto& types = operator_types();
        const auto found = std::find_if(types.begin(), types.end(), [&](const OpType* type) { return kind == type->kind; });
        if (found == types.end()) reader.fail(": unknown kind " + kind);
        const OpType* type = *found;
        head.h = reader.integer("h", 1, largest_side);
        head.w = reader.integer("w", 1, largest_side);
        head.c = reader.integer("c", 1, most_channels);
        head.inputs = reader.indices("inputs", plan_.slots.size(), "an input is not a slot");
        if (head.inputs.empty() && type->reads != Reads::nothing) reader.fail(" (" + kind + ") reads nothing");
        for (const int32_t input : head.inputs)
            if (r.slot(input).codes != (type->reads == Reads::codes) ||
                r.slot(input).sparse != (type->reads == Reads::sparse))
                reader.fail(" (" + kind + ") reads a slot of the wrong type");
        if (type->reads == Reads::codes) {
            head.grid = r.grid_index();
            const Slot& in = r.input(head);
            head.sparse = r.sparse_slot(in.h, in.w, in.c);
        }
        std::unique_ptr<Op> op = type->parse(r, head);
        op->placeless = reader.boolean("placeless", false);
        for (const Reader& item : reader.list("steps", reader.where() + " step"))
            op->steps.push_back(parse_step(OpReader(item, plan_, kind, [this](double bytes) { take(bytes); }), *op));
        return op;
    }

    const Reader& spec_;
    const Allow& allow_;
    double bytes_ = 0;  // taken so far
    Plan plan_;
};

}  // namespace

Plan parse_plan(const Reader& spec, const Allow& allow) { return Builder(spec, allow).build(); }

}  // namespace vq
