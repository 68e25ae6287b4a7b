#include "steps.h"

#include <map>

namespace vq {
namespace {

using Parse = void (*)(const OpReader& r, const OpHead& op, StepPlan& plan);

void plain(const OpReader&, const OpHead&, StepPlan&) {}

// The other operand: a number, or a slot of the same size, of one pixel, of one channel, or both.
void operand(const OpReader& r, const OpHead& op, StepPlan& plan) {
    if (r.reader.has("value")) {
        plan.channel_a = Memory::of<float>(1);
        *plan.channel_a.as<float>() = float(r.reader.number("value"));
        return;
    }
    plan.operand = r.slot_index("slot");
    const Slot& o = r.slot(plan.operand);
    const bool one = o.h == 1 && o.w == 1, same = o.h == op.h && o.w == op.w;
    if (!o.floats() || !(one || same) || (o.c != op.c && o.c != 1)) r.reader.fail(": its operand does not fit");
    plan.step.operand_pixel = one ? 0 : o.c;
    plan.step.operand_channel = o.c == 1 && op.c != 1 ? 0 : 1;
}

// Where a store… writes, and what it quantizes with.
void store(const OpReader& r, const OpHead& op, StepPlan& plan) {
    Step& s = plan.step;
    plan.slot = r.slot_index("slot");
    const Slot& o = r.slot(plan.slot);
    const bool codes = s.kind == Do::store_codes || s.kind == Do::store_residual;
    if (plan.slot == 0 || o.codes != codes || o.sparse || o.h != op.h || o.w != op.w || o.c != op.c)
        r.reader.fail(": its slot does not fit");
    for (const int32_t input : op.inputs)
        if (input == plan.slot) r.reader.fail(": it writes what its operator reads");
    if (s.kind != Do::store) plan.grid = r.grid_index();
    if (s.kind == Do::store_residual) {
        plan.reference = r.slot_index("reference");
        const Slot& f = r.slot(plan.reference);
        if (!f.floats() || f.h != op.h || f.w != op.w || f.c != op.c) r.reader.fail(": its reference does not fit");
        s.update = r.reader.boolean("update", false);
    }
    if (codes) plan.staged = r.sparse_slot(op.h, op.w, op.c);
    s.sparse = plan.staged >= 0 || r.reader.boolean("with_sparse", false);
}

Memory channels(const OpReader& r, const OpHead& op, const char* key) {
    return r.padded(r.reader.floats(key, op.c), op.c);
}

struct StepType {
    Do kind;
    Parse parse;
};

const std::map<std::string, StepType> types = {
    {"clamp", {Do::clamp, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("lo")), p.step.b = float(r.reader.number("hi"));
     }}},
    {"leaky_relu", {Do::leaky_relu, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("slope"));
     }}},
    {"prelu", {Do::prelu, [](const OpReader& r, const OpHead& op, StepPlan& p) {
         p.channel_a = channels(r, op, "slope");
     }}},
    {"hardswish", {Do::hardswish, plain}},
    {"hardsigmoid", {Do::hardsigmoid, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("alpha")), p.step.b = float(r.reader.number("beta"));
     }}},
    {"sigmoid", {Do::sigmoid, plain}},
    {"silu", {Do::silu, plain}},
    {"gelu", {Do::gelu, [](const OpReader& r, const OpHead&, StepPlan& p) {
         if (r.reader.text("approximate", "none") == "tanh") p.step.kind = Do::gelu_tanh;
     }}},
    {"elu", {Do::elu, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("alpha"));
     }}},
    {"tanh", {Do::tanh, plain}},
    {"erf", {Do::erf, plain}},
    {"affine", {Do::affine, [](const OpReader& r, const OpHead& op, StepPlan& p) {
         p.channel_a = channels(r, op, "weight"), p.channel_b = channels(r, op, "bias");
     }}},
    {"add", {Do::add, operand}},
    {"sub", {Do::sub, operand}},
    {"rsub", {Do::rsub, operand}},
    {"mul", {Do::mul, operand}},
    {"div", {Do::div, operand}},
    {"rdiv", {Do::rdiv, operand}},
    {"store", {Do::store, store}},
    {"store_codes", {Do::store_codes, store}},
    {"store_residual", {Do::store_residual, store}},
    {"store_values", {Do::store_values, store}},
};

}  // namespace

StepPlan parse_step(const OpReader& r, const OpHead& op) {
    const std::string name = r.reader.text("do");
    const auto found = types.find(name);
    if (found == types.end()) r.reader.fail(": unknown step " + name);
    StepPlan plan;
    plan.step.kind = found->second.kind;
    found->second.parse(r, op, plan);
    return plan;
}

}  // namespace vq
