#include "steps.h"

#include "../core/of_two.h"
#include "../core/reference.h"

#include <algorithm>
#include <cmath>
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
    {"hardsigmoid", {Do::hardsigmoid, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("alpha")), p.step.b = float(r.reader.number("beta"));
     }}},
    {"gelu", {Do::gelu, [](const OpReader& r, const OpHead&, StepPlan& p) {
         if (r.reader.text("approximate", "none") == "tanh") p.step.kind = Do::gelu_tanh;
     }}},
    {"elu", {Do::elu, [](const OpReader& r, const OpHead&, StepPlan& p) {
         p.step.a = float(r.reader.number("alpha"));
     }}},
    {"affine", {Do::affine, [](const OpReader& r, const OpHead& op, StepPlan& p) {
         p.channel_a = channels(r, op, "weight"), p.channel_b = channels(r, op, "bias");
     }}},
    {"hardswish", {Do::hardswish, plain}}, {"sigmoid", {Do::sigmoid, plain}}, {"silu", {Do::silu, plain}},
    {"tanh", {Do::tanh, plain}}, {"exp", {Do::exp, plain}}, {"log", {Do::log, plain}}, {"sqrt", {Do::sqrt, plain}},
    {"abs", {Do::abs, plain}}, {"floor", {Do::floor, plain}}, {"ceil", {Do::ceil, plain}},
    {"round", {Do::round, plain}}, {"trunc", {Do::trunc, plain}}, {"sign", {Do::sign, plain}},
    {"sin", {Do::sin, plain}}, {"cos", {Do::cos, plain}}, {"softplus", {Do::softplus, plain}},
    {"mish", {Do::mish, plain}}, {"erf", {Do::erf, plain}},
    {"add", {Do::add, operand}}, {"sub", {Do::sub, operand}}, {"rsub", {Do::rsub, operand}},
    {"mul", {Do::mul, operand}}, {"div", {Do::div, operand}}, {"rdiv", {Do::rdiv, operand}},
    {"minimum", {Do::minimum, operand}}, {"maximum", {Do::maximum, operand}}, {"pow", {Do::pow, operand}},
    {"rpow", {Do::rpow, operand}}, {"fmod", {Do::fmod, operand}}, {"rfmod", {Do::rfmod, operand}},
    {"equal", {Do::equal, operand}}, {"greater", {Do::greater, operand}}, {"rgreater", {Do::rgreater, operand}},
    {"greater_equal", {Do::greater_equal, operand}}, {"rgreater_equal", {Do::rgreater_equal, operand}},
    {"keep_where", {Do::keep_where, operand}}, {"rkeep_where", {Do::rkeep_where, operand}},
    {"keep_unless", {Do::keep_unless, operand}}, {"rkeep_unless", {Do::rkeep_unless, operand}},
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

// One value at a time: what the kernels are compared with.
namespace reference {

// e^x = 2ⁿ · e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2; ln 2 is taken away in two parts so that r is exact, e^r
// is a polynomial (the coefficients of the Cephes library's expf).
float exponential(float x) {
    x = std::fmax(std::fmin(x, 88.0f), -87.0f);
    const float n = std::nearbyint(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    const float coefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                  4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    float p = 0;
    for (const float c : coefficients) p = p * r + c;
    return std::ldexp(p * (r * r) + r + 1.0f, int(n));
}

// x · P(x²) / Q(x²), the coefficients of the Eigen library; beyond 4 it is 1 in float32.
static float error_function(float x) {
    x = std::fmax(std::fmin(x, 4.0f), -4.0f);
    const float above[] = {-2.72614225801306e-10f, 2.77068142495902e-8f,  -2.10102402082508e-6f, -5.69250639462346e-5f,
                           -7.34990630326855e-4f,  -2.95459980854025e-3f, -1.60960333262415e-2f};
    const float below[] = {-1.45660718464996e-5f, -2.13374055278905e-4f, -1.68282697438203e-3f, -7.37332916720468e-3f,
                           -1.42647390514189e-2f};
    float p = 0, q = 0;
    for (const float c : above) p = p * (x * x) + c;
    for (const float c : below) q = q * (x * x) + c;
    return std::fmax(std::fmin(x * p / q, 1.0f), -1.0f);
}

static float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }
static float tanh(float x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }

// log(1 + e^x), as the larger of x and 0 and what is left.
static float softplus(float x) { return (x > 0 ? x : 0) + std::log1p(exponential(-std::fabs(x))); }
// x · tanh(log(1 + e)) = x · n / (n + 2), n = e · (e + 2), e = e^x; beyond 20 that is x.
static float mish(float x) {
    const float e = exponential(x < 20 ? x : 20), n = e * (e + 2);
    return x * (n / (n + 2));
}

static float clamp(float x, float low, float high) {
    if (!(x > low)) x = low;
    if (!(x < high)) x = high;
    return x;
}

// round(x / scale) between the grid's ends, as steps from the zero point.
static int32_t to_steps(float x, const Grid& grid) {
    const float t = clamp(x * grid.inverse, float(grid.low - grid.zero), float(grid.high - grid.zero));
    return int32_t(std::nearbyint(t));
}

// The code of channel c meets the one that is held. Channels come in order: a group counts with its first change.
static void track_code(const Track& track, uint8_t& held, int32_t code, int64_t pixel, int64_t at, int c) {
    uint16_t& moved = track.moved[pixel];
    if (c == 0) moved = 0;
    const int32_t change = code - held;
    track.delta[at] = 0;
    if (change == 0) return;
    bool counted = false;
    for (int before = c / 4 * 4; before < c; before++) counted |= track.delta[at - c + before] != 0;
    moved = uint16_t(moved + (counted ? 0 : 1));
    if (std::abs(change) > 127) moved |= wide;
    track.delta[at] = int8_t(change);
    held = uint8_t(code);
}

// S of a value whose code says `dense`: 0 within the grid's cells.
static float sparse_part(float x, float dense, const Grid& grid) {
    const Outside outside(grid);
    if (!(x > outside.top || x < outside.bottom)) return 0;
    const float s = clamp(x - dense, -largest_half, largest_half);
    // 11 significant bits, but no fewer than down to 2⁻²⁴.
    const int exponent = s == 0 ? 0 : std::max(std::ilogb(s), -14) - 10;
    return std::ldexp(std::nearbyint(std::ldexp(s, -exponent)), exponent);
}

// The 16 bits of a value that they can hold.
static uint32_t half_bits(float s) {
    const uint32_t sign = std::signbit(s) ? 0x8000 : 0;
    s = std::fabs(s);
    if (s < 0x1p-14f) return sign | uint32_t(s * 0x1p24f);
    const int exponent = std::ilogb(s);
    return sign | uint32_t(exponent + 15) << 10 | (uint32_t(std::ldexp(s, 10 - exponent)) - 1024);
}

// Channels come in order.
static void stage(const Staged& staged, float x, float dense, const Grid& grid, int64_t pixel, int32_t channels,
                  int c) {
    uint16_t& count = staged.counts[pixel];
    if (c == 0) count = 0;
    const Outside outside(grid);
    if (!(x > outside.top || x < outside.bottom)) return;
    uint32_t& element =
        count < few_elements ? staged.few[pixel * few_elements + count] : staged.more[pixel * channels + count];
    element = half_bits(sparse_part(x, dense, grid)) << 16 | uint32_t(c);
    count++;
}

// The value of channel c of one pixel goes through the steps in order.
void run_program(const Program& program, float x, int64_t pixel, int c) {
    for (int i = 0; i < program.count; i++) {
        const Step& s = program.steps[i];
        const float other = s.operand ? s.operand[pixel * s.operand_pixel + c * s.operand_channel] : 0;
        const int64_t at = pixel * s.out.stride + c;
        switch (s.kind) {
            case Do::clamp: x = clamp(x, s.a, s.b); break;
            case Do::leaky_relu: x = x < 0 ? x * s.a : x; break;
            case Do::prelu: x = x < 0 ? x * s.channel_a[c] : x; break;
            case Do::hardswish: x = x * clamp(x + 3, 0, 6) / 6; break;
            case Do::hardsigmoid: x = clamp(x * s.a + s.b, 0, 1); break;
            case Do::sigmoid: x = sigmoid(x); break;
            case Do::silu: x = x * sigmoid(x); break;
            case Do::gelu: x = 0.5f * x * (1.0f + error_function(x * 0.70710678f)); break;
            case Do::gelu_tanh: {
                const float inner = 0.79788456f * (x + 0.044715f * x * x * x);
                x = 0.5f * x * (2.0f - 2.0f / (exponential(2.0f * inner) + 1.0f));
                break;
            }
            case Do::elu: x = x > 0 ? x : s.a * (exponential(x) - 1.0f); break;
            case Do::tanh: x = tanh(x); break;
            case Do::exp: x = exponential(x); break;
            case Do::log: x = std::log(x); break;
            case Do::sqrt: x = std::sqrt(x); break;
            case Do::abs: x = std::fabs(x); break;
            case Do::floor: x = std::floor(x); break;
            case Do::ceil: x = std::ceil(x); break;
            case Do::round: x = std::nearbyint(x); break;
            case Do::trunc: x = std::trunc(x); break;
            case Do::sign: x = float((x > 0) - (x < 0)); break;
            case Do::sin: x = std::sin(x); break;
            case Do::cos: x = std::cos(x); break;
            case Do::softplus: x = softplus(x); break;
            case Do::mish: x = mish(x); break;
            case Do::erf: x = error_function(x); break;
            case Do::affine: x = x * s.channel_a[c] + s.channel_b[c]; break;
            case Do::add: x = x + other; break;
            case Do::sub: x = x - other; break;
            case Do::rsub: x = other - x; break;
            case Do::mul: x = x * other; break;
            case Do::div: x = x / other; break;
            case Do::rdiv: x = other / x; break;
            case Do::minimum: x = x < other ? x : other; break;
            case Do::maximum: x = x > other ? x : other; break;
            case Do::store: s.out.f32()[at] = x; break;
            case Do::store_codes: {
                const int32_t steps = to_steps(x, s.grid), code = steps + s.grid.zero;
                if (s.staged.counts) stage(s.staged, x, float(steps) * s.grid.scale, s.grid, pixel, s.out.c, c);
                if (s.track.delta) track_code(s.track, s.out.u8()[at], code, pixel, at, c);
                else s.out.u8()[at] = uint8_t(code);
                break;
            }
            case Do::store_residual: {
                float& reference = s.reference.f32()[pixel * s.reference.stride + c];
                const float residual = x - reference;
                const int32_t steps = to_steps(residual, s.grid);
                const float dense = float(steps) * s.grid.scale;
                s.out.u8()[at] = uint8_t(steps + s.grid.zero);
                if (s.staged.counts) stage(s.staged, residual, dense, s.grid, pixel, s.out.c, c);
                if (s.update) reference = reference + (s.sparse ? dense + sparse_part(residual, dense, s.grid) : dense);
                break;
            }
            case Do::store_values: {
                const float dense = float(to_steps(x, s.grid)) * s.grid.scale;
                s.out.f32()[at] = s.sparse ? dense + sparse_part(x, dense, s.grid) : dense;
                break;
            }
            default: x = of_two(s.kind, x, other);
        }
    }
}

}  // namespace reference

}  // namespace vq
