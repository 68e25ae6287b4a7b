// conv and conv_transpose: quantized convolutions, dense over all channels, by Winograd's algorithm, or of the changes
// alone. Depthwise ones have a file of their own (depthwise.cpp), and float ones (float_convolution.cpp).
#pragma once
#include "../core/pack.h"
#include "weights.h"

namespace vq {

// One part of a convolution: all of it, or one phase of a transposed one.
struct ConvPart {
    Taps taps;
    ConvWeights weights;
    SparseWeights sparse;
};

struct ConvOp : Op {
    std::unique_ptr<Bound> bind(Buffers& buffers) const override;
    double bytes_followed() const override { return double(pixels()) * round_up(c, 16) * 4; }
    // Whether Winograd's algorithm computes it on these kernels, where it computes all pixels.
    bool by_winograd(const Kernels& kernels) const { return kernels.winograd && takes_winograd(); }
    bool takes_winograd() const;
    int64_t least_pixels() const;  // of a task

    int32_t stride_y = 1, stride_x = 1, groups = 1;
    std::vector<ConvPart> parts;
    Memory scale, bias;  // of the weights, by output channel, padded
};

// A convolution over a session's buffers. `Bound::run` computes pixels in full; `run_changes` adds the changes of the
// input's codes to the accumulators that the last frame left.
class Convolution : public WindowBound {
public:
    Convolution(const ConvOp& op, Buffers& buffers);
    void run(Runner& runner, Pixels pixels) override;
    Convolution* convolution() override { return this; }
    size_t bytes() const override { return bytes_ + accumulators_.bytes(); }

    // Computes these pixels directly, never by Winograd's algorithm.
    void run_direct(Runner& runner, Pixels pixels);
    // Computes these tiles of 2 × 2 pixels by Winograd's algorithm, numbered by rows. Only where it has that.
    void run_tiles(Runner& runner, Pixels tiles);
    void run_changes(Runner& runner, Pixels pixels);
    // From now on accumulators are kept (or not), of an input whose changes are these.
    void keep_accumulators(bool on, const int8_t* delta, const uint16_t* changed);
    // Of one output pixel in full: the groups of 4 input channels that it reads at most, and its taps.
    int64_t groups_read() const;
    int64_t taps() const { return int64_t(plan.parts[0].taps.dy.size()); }
    // Shows the kernels the input's sparse part: the list's memory moves when it grows.
    void take_sparse();
    bool has_winograd() const { return convs[0].winograd != nullptr; }

    const ConvOp& plan;
    std::vector<Conv> convs;  // by part

protected:
    void take_input_grid(const Grid& grid) override;

private:
    Buffers& buffers_;
    std::vector<Memory> starts_;
    Memory scale_, zeros_, accumulators_;
    int64_t accumulator_stride_;
    size_t bytes_ = 0;
};

}  // namespace vq
