// The kernels that an instruction set provides, as a table of functions. Each computes some output pixels of one
// operator and runs the program on them.
#pragma once
#include "memory.h"
#include "types.h"

namespace vq {

// One dense piece of a convolution: `channels` output channels from `first`, read from the input channels that
// begin at byte `in_offset`, in `groups` groups of 4. Weights are packed [tap][group][channels up to 16][4].
struct Block {
    const int8_t* weight = nullptr;
    // The same as 16-bit numbers, [vector][tap][2 · group][16 channels][2], for kernels that ask for them.
    const Memory* pairs = nullptr;
    // The same for AMX's tiles, [2 vectors][run of taps][64 of its bytes][vector][16 groups][16 channels][4], zeros behind
    // the last group; for kernels that ask for them, empty where they do not pay.
    const Memory* tiles = nullptr;
    const int32_t* sums = nullptr;  // Σ of the weights of each output channel
    int32_t first = 0, channels = 0, vectors = 0;  // vectors: 16 channels each, 1 to 4
    int32_t in_offset = 0, groups = 0;
};

constexpr int delta_capacity = 256;  // changed groups in the residual kernel's list before it is worked off

// What a convolution adds for the sparse part S of its input: scale · Σ S · weight. A weight is a whole number below 2⁸
// and S has 11 bits, so no product is rounded, and it does not matter whether an instruction set rounds it once more.
// Sums run over taps, by row and then column, and within a pixel over its channels.
struct SparseTaps {
    Sparse input;  // begin is null where there is none
    int32_t taps = 0;
    const int32_t *dy = nullptr, *dx = nullptr;
    const float* weight = nullptr;  // [tap][input channel][`row`: output channels of its group]
    int64_t row = 0;
    int32_t in_each = 1, out_each = 1;  // channels of a group
    const float* scale = nullptr;       // of the weights, by output channel; padded to 64
};

// A convolution: output pixel (y, x) of its own grid reads input (y · stride_y + dy, x · stride_x + dx) for every
// tap. Its pixels are those of the output with y ≡ phase_y, x ≡ phase_x modulo `step`: all of them for an ordinary
// convolution, one phase for each part of a transposed one.
struct Conv {
    Tensor in, out;  // out: only its size is read; the program stores
    int32_t taps = 0;
    const int32_t *dy = nullptr, *dx = nullptr;
    int32_t stride_y = 1, stride_x = 1;
    int32_t step_y = 1, step_x = 1, phase_y = 0, phase_x = 0;
    const Block* blocks = nullptr;
    int32_t block_count = 0;
    // Weights transformed for Winograd's algorithm, as pack_winograd leaves them; null where it does not apply.
    const int16_t* winograd = nullptr;
    const uint8_t* zeros = nullptr;     // one pixel of the code of 0, for taps outside
    const int32_t* start = nullptr;     // accumulators begin here: −zero · Σ weights, per channel
    const float *scale = nullptr, *bias = nullptr;  // value = acc · scale + bias, per channel; padded to 64
    int32_t* accumulators = nullptr;    // h × w × accumulator_stride: kept for the residual kernel; or null
    int64_t accumulator_stride = 0;
    // Residual kernel only: the changes of the input's codes, and which of its pixels have any.
    const int8_t* delta = nullptr;
    const uint16_t* moved = nullptr;
    SparseTaps sparse;
    Program program;
};

// Taps side by side in a row read one run of bytes: how many there are in each such run, the same for all; 1 where taps
// do not come in runs, or read a part of a pixel.
inline int32_t run_of_taps(const Conv& c) {
    int32_t run = 1;
    while (run < c.taps && c.dy[run] == c.dy[0] && c.dx[run] == c.dx[0] + run) run++;
    bool runs = c.taps % run == 0;
    for (int32_t t = 0; t < c.taps && runs; t++)
        runs = c.dy[t] == c.dy[t / run * run] && c.dx[t] == c.dx[t / run * run] + t % run;
    for (int32_t k = 0; k < c.block_count; k++) runs &= c.in.stride == 4 * c.blocks[k].groups;
    return runs ? run : 1;
}

// Tiles that the Winograd kernel transforms at a time: few enough for an L2 cache, enough to repay the reading of all
// weights for each batch.
constexpr int64_t winograd_batch = 24;
inline size_t winograd_bytes(const Conv& conv) {
    const int64_t inputs = 4 * conv.blocks[0].groups;  // 16-bit numbers; products of 64 output channels have 32 bits
    return size_t(16 * winograd_batch * (inputs * 2 + 64 * 4));
}

// A depthwise convolution: weights packed for the instruction set's own kernel, as [tap][channel] int8.
struct Depthwise {
    Tensor in, out;
    int32_t taps = 0;
    const int32_t *dy = nullptr, *dx = nullptr;
    int32_t stride_y = 1, stride_x = 1;
    const int8_t* weight = nullptr;        // [tap][channels padded to 64]
    const int8_t* interleaved = nullptr;   // [tap / 4][channel][4], zero-filled; channels permuted per 64
    const uint8_t* zeros = nullptr;
    const int32_t* start = nullptr;
    const float *scale = nullptr, *bias = nullptr;
    SparseTaps sparse;
    Program program;
};

constexpr int32_t float_chunk = 64;  // products of one tap that are added in float32, before float64 takes over
// A convolution in floating point: weight [tap][input channel][output channels padded to 64] per group.
struct FloatConv {
    Tensor in, out;
    int32_t taps = 0;
    const int32_t *dy = nullptr, *dx = nullptr;
    int32_t stride_y = 1, stride_x = 1;
    int32_t step_y = 1, step_x = 1, phase_y = 0, phase_x = 0;
    int32_t groups = 1;
    const float *weight = nullptr, *bias = nullptr;
    Program program;
};

struct Map {  // value = input
    Tensor in, out;
    Program program;
};

struct Dequantize {  // value = (q − zero) · scale + S
    Tensor in, out;
    Grid grid;
    Sparse sparse;
    Program program;
};

enum class PoolKind : uint8_t { max, average, sum };
struct Pool {
    Tensor in, out;
    PoolKind kind = PoolKind::max;
    int32_t kernel_h = 1, kernel_w = 1, stride_y = 1, stride_x = 1, top = 0, left = 0, bottom = 0, right = 0;
    int32_t dilation_y = 1, dilation_x = 1;
    bool count_padding = false;
    Program program;
};

struct AdaptivePool {  // average over rows ⌊y·h/H⌋ … ⌈(y+1)·h/H⌉, as PyTorch
    Tensor in, out;
    Program program;
};

enum class ResizeMode : uint8_t { nearest, bilinear };
struct Resize {
    Tensor in, out;
    ResizeMode mode = ResizeMode::nearest;
    bool align_corners = false;
    float scale_y = 1, scale_x = 1;  // source pixels per output pixel
    Program program;
};

// A rearrangement: output (pixel, channel) copies one input element, of the tensor and at the place that `source`
// says. Concat, join, slice, pad, pixel shuffle, arrange and constant are all of this kind, for different `Kind`s.
enum class MoveKind : uint8_t {
    concat, join, slice, pad_constant, pad_reflect, pad_replicate, shuffle_crd, shuffle_dcr, arrange,
};
struct Move {
    const Tensor* in = nullptr;  // `inputs` of them
    int32_t inputs = 0;
    Tensor out;
    MoveKind kind = MoveKind::concat;
    int32_t factor = 1;                             // shuffle
    int32_t dim = 3, start = 0, every = 1;          // slice: dim 1 = rows, 2 = columns, 3 = channels
    int32_t top = 0, left = 0, front = 0;           // pad; front: channels
    float value = 0;
    // arrange: the element of pixel p and channel c is at from_pixel[p] + from_channel[c], or + c where that is null
    const int32_t *from_pixel = nullptr, *from_channel = nullptr;
    Program program;
};

struct Softmax {
    Tensor in, out;
    Program program;
};

constexpr int norm_lanes = 8;  // sums side by side
struct LayerNorm {  // (x − mean) / √(variance + eps) over the channels of a pixel
    Tensor in, out;
    double eps = 0;
    Program program;
};

// What a stream needs to follow changes. A map has a number per pixel: 0 where nothing changed.
struct WindowMap {
    const uint16_t* in = nullptr;
    int32_t in_h = 0, in_w = 0;
    uint16_t* out = nullptr;
    int32_t out_first = 0, out_last = 0, out_w = 0;  // the output rows to fill: out_first … out_last − 1
    const int32_t *rows = nullptr, *columns = nullptr;  // the offsets that the window reaches
    int32_t row_count = 0, column_count = 0, stride_y = 1, stride_x = 1;
    uint16_t* scratch = nullptr;  // one input row, with `margin` numbers on either side
    int32_t margin = 0;
};

// Staged elements become a list: fills elements begin[first] … begin[last] − 1, and nothing else. Staged channels past
// the last one become that.
struct SparseCopy {
    Staged staged;
    int32_t w = 0, c = 0;
    const int32_t* begin = nullptr;
    SparseElement* elements = nullptr;
};

// Numbers that are ordered as floating-point values are: negative ones before positive ones, −0 before 0, NaN
// outermost.
static inline int32_t order_key(float value) {
    int32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits ^ (bits < 0 ? 0x7FFFFFFF : 0);
}
constexpr int feature_lanes = 64;
constexpr int most_ordered = 256;

// A row of the gate's cells (gate.h): sums of a cell's pixels, with the channels of a cell side by side.
constexpr int gate_cell = 4;  // height and width of a cell, in pixels
struct CellRow {
    const uint16_t *sums = nullptr, *held = nullptr, *before = nullptr;
    int64_t cells = 0;
    int32_t channels = 0;
};

// Numbers of a float32 tensor on a grid, as simulation has them: steps = clamp(round(x · inverse), first, last), half to
// even, of x = value, or of value − reference where there is one. next: the values that those stand for, steps · scale
// + reference; or null.
struct Steps {
    const float *value = nullptr, *reference = nullptr;
    float inverse = 1, first = 0, last = 0, scale = 1;
    float *steps = nullptr, *next = nullptr;
};

// The end of a layer on codes, in place: sums · scale + bias, or + before, every operation rounded. Rows of `columns`
// numbers: with `by_row` row r is of channel r modulo `channels`, else column c is of channel c.
struct LayerSums {
    float* sums = nullptr;
    int64_t columns = 0, channels = 0;
    bool by_row = false;
    const float *scale = nullptr, *bias = nullptr;  // by channel; bias may be null
    const float* before = nullptr;                  // for every sum; or null
};

struct ThreadState;  // threads.h

// The kernels of one instruction set. Those that all have are filled in kernels/table.h, each by its name.
struct Kernels {
    const char* name = nullptr;
    bool pairs = false;  // whether convolutions read `Block::pairs`
    bool tiles = false;  // whether they read `Block::tiles`
    void (*conv)(const Conv&, Pixels) = nullptr;
    void (*conv_residual)(const Conv&, Pixels) = nullptr;  // acc += W ∗ δ, then the program; needs accumulators
    void (*depthwise)(const Depthwise&, Pixels) = nullptr;
    void (*float_conv)(const FloatConv&, Pixels) = nullptr;
    void (*map)(const Map&, Pixels) = nullptr;
    void (*dequantize)(const Dequantize&, Pixels) = nullptr;
    void (*pool)(const Pool&, Pixels) = nullptr;
    void (*adaptive_pool)(const AdaptivePool&, Pixels) = nullptr;
    void (*resize)(const Resize&, Pixels) = nullptr;
    void (*move)(const Move&, Pixels) = nullptr;
    void (*softmax)(const Softmax&, Pixels) = nullptr;
    void (*layer_norm)(const LayerNorm&, Pixels) = nullptr;
    void (*copy_sparse)(const SparseCopy&, int64_t first, int64_t last) = nullptr;
    // Map with at most 4 channels and one step, store_codes: the network's input. Reads nothing past its end.
    void (*quantize_input)(const Map&, Pixels) = nullptr;
    bool (*finite)(const float* values, int64_t count) = nullptr;  // neither NaN nor infinity among them
    // The sum of the map over each window, saturated.
    void (*window_map)(const WindowMap&) = nullptr;
    // The pixels begin … end − 1 of a map with 0 < value < limit go to `low`, those at or above to `high`; the sum of
    // the former to `total`. Lists have room for 16 more.
    void (*split)(const uint16_t* map, int32_t begin, int32_t end, uint16_t limit, int32_t* low, int64_t& low_count,
                  int32_t* high, int64_t& high_count, int64_t& total) = nullptr;
    // Σ (x − from), or of its square, lane by lane: value i belongs to lane i modulo 64, and each lane adds in order.
    void (*lane_sums)(const float* values, int64_t count, double from, bool squares, double* lanes) = nullptr;
    // The least, the next and the largest order_key of values, INT32_MAX for a next that is not there, and how many have
    // the least and the largest.
    void (*key_ends)(const float* values, int64_t count, int32_t* ends, int64_t* counts) = nullptr;
    // (order_key − low) >> shift of each value, below 2¹⁶; 0 below `low`.
    void (*key_bins)(const float* values, int64_t count, int32_t low, int32_t shift, uint16_t* bins) = nullptr;
    // Sorts up to `most_ordered` values by order_key.
    void (*order)(const float* values, int32_t count, float* ordered) = nullptr;
    // Numbers begin … end − 1 of a tensor; whether all of its values are finite there.
    bool (*quantize_steps)(const Steps&, int64_t begin, int64_t end) = nullptr;
    // Rows begin … end − 1.
    void (*scale_sums)(const LayerSums&, int64_t begin, int64_t end) = nullptr;
    // The sums of so many cells, of four rows of pixels. scratch: for as many numbers as a row has, and 3 · channels more.
    void (*cell_sums)(const uint8_t* const* rows, int64_t cells, int32_t channels, uint16_t* sums,
                      uint16_t* scratch) = nullptr;
    // largest: of each cell, the largest |sums − held| of a channel. To `change` is added sums − held, to `moved`
    // |sums − before|.
    void (*cell_changes)(const CellRow& row, uint16_t* largest, int16_t* change, uint16_t* moved) = nullptr;

    // From here on null where an instruction set has none.
    // The same as `conv` on tiles of 2 × 2 output pixels, numbered by rows, for convolutions that have `winograd`; needs
    // winograd_bytes of scratch.
    void (*winograd)(const Conv&, Pixels tiles, void* scratch) = nullptr;
    // Runs dot products as fast as the instruction set can; returns how many multiply–accumulates. Not the reference.
    int64_t (*peak)(int64_t rounds) = nullptr;
    // State that each thread must hold while it runs these kernels, such as a configuration of tiles.
    const ThreadState* thread = nullptr;
};

}  // namespace vq
