// map: the value as it is; its program does the rest. The first of a network quantizes the input itself, and reads it
// where the caller has it.
#include "../core/operator.h"
#include "../core/reference.h"

namespace vq {
namespace {

struct MapOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
};

class MapBound : public PixelBound {
public:
    MapBound(const Op& op, const Buffers& buffers)
        : PixelBound(op, buffers), kernel_{input(), output(), program()},
          quantizes_input_(op.inputs[0] == 0 && op.c <= 4 && op.steps.size() == 1 &&
                           op.steps[0].step.kind == Do::store_codes && !op.steps[0].step.sparse) {}
    void run(Runner& runner, Pixels pixels) override {
        if (quantizes_input_)
            runner.parallel_for(pixels, 4096, [&](Pixels part) {
                each_run(part, [&](int64_t first, int64_t count) {
                    runner.kernels.quantize_input(kernel_, {nullptr, first, first + count});
                });
            });
        else runner.parallel_for(pixels, 256, [&](Pixels part) { runner.kernels.map(kernel_, part); });
    }
    bool reads_input() const override { return quantizes_input_; }
    void set_input(const float* input) override { kernel_.in.data = const_cast<float*>(input); }

private:
    Map kernel_;
    bool quantizes_input_;
};

std::unique_ptr<Bound> MapOp::bind(Buffers& buffers) const { return std::make_unique<MapBound>(*this, buffers); }

std::unique_ptr<Op> parse(const OpReader& r, const OpHead& head) {
    r.same_size(head);
    return made_of<MapOp>(head);
}

}  // namespace

const OpType map_type{"map", Reads::floats, parse};

// One value at a time: what the kernels are compared with.
namespace reference {

void map(const Map& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t p = pixels.at(i);
        for (int c = 0; c < a.in.c; c++) run_program(a.program, a.in.f32()[p * a.in.stride + c], p, c);
    }
}

void quantize_input(const Map& map, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int64_t pixel = pixels.at(i);
        for (int c = 0; c < map.in.c; c++)
            run_program(map.program, map.in.f32()[pixel * map.in.stride + c], pixel, c);
    }
}

}  // namespace reference

}  // namespace vq
