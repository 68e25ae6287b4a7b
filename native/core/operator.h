// What an operator is: how it is read from a plan, bound to a session's buffers, run, and followed. Each of the files in
// operators/ is one.
#pragma once
#include <algorithm>
#include <cstring>

#include "plan.h"
#include "reader.h"
#include "runner.h"
#include "sparse.h"

namespace vq {

inline int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// What an operator is read from: its dict, and the plan so far.
class OpReader {
public:
    OpReader(const Reader& reader, const Plan& plan, const std::string& kind, std::function<void(double)> take)
        : reader(reader), kind(kind), plan_(plan), take_(std::move(take)) {}

    const Slot& slot(int32_t index) const { return plan_.slots[size_t(index)]; }
    const Slot& input(const OpHead& op) const { return slot(op.inputs[0]); }
    int32_t slot_index(const char* key) const { return reader.integer(key, 0, int32_t(plan_.slots.size()) - 1); }
    int32_t grid_index() const;
    // The slot of a sparse part, of this size; −1 where none is named.
    int32_t sparse_slot(int32_t h, int32_t w, int32_t c) const;
    // Is told before memory is taken: one array of a file can be named many times, and weights grow when packed.
    void take(double bytes) const { take_(bytes); }
    Memory padded(const float* values, int64_t count) const;
    void same_channels(const OpHead& op) const {
        if (input(op).c != op.c) reader.fail(": channels differ");
    }
    void same_size(const OpHead& op) const {
        if (input(op).h != op.h || input(op).w != op.w || input(op).c != op.c)
            reader.fail(": input and output differ in size");
    }
    [[noreturn]] void wrong_size() const { reader.fail(": its output's size does not follow from its input's"); }

    const Reader& reader;
    const std::string& kind;

private:
    const Plan& plan_;
    std::function<void(double)> take_;
};

// What operators of this kind read.
enum class Reads : uint8_t { floats, codes, sparse, nothing };

// An operator's entry in the list of all, which it joins as it is made: a constant of the operator's file. parse: reads
// and checks what it has of its own.
struct OpType {
    using Parse = std::unique_ptr<Op> (*)(const OpReader& reader, const OpHead& head);
    OpType(const char* kind, Reads reads, Parse parse);
    const char* kind;
    Reads reads;
    Parse parse;
};
const std::vector<const OpType*>& operator_types();

// Rows first … last − 1 of a map.
struct Rows {
    int32_t first = 0, last = 0;
    bool none() const { return first >= last; }
    Rows with(Rows other) const {
        if (none()) return other;
        if (other.none()) return *this;
        return {std::min(first, other.first), std::max(last, other.last)};
    }
};

// How much changed in each pixel of an operator's inputs, to one that says which outputs see it. A mask has a number per
// pixel: 0 where nothing changed.
struct InputChanges {
    const std::vector<const uint16_t*>& masks;  // by input
    Rows rows;                                  // of the first input: outside of these its mask is 0
    Runner& runner;
};

// What a session computes of frames that it does not compute in full, on top of what earlier frames left: nothing (all
// frames are), what changed, or a region.
enum class Partly : uint8_t { none, changes, regions };

// Where a session's tensors lie.
struct Buffers {
    Tensor tensor(int32_t index) const {
        const Slot& slot = plan.slots[size_t(index)];
        return {data[size_t(index)], slot.h, slot.w, slot.c, slot.stride()};
    }
    const Plan& plan;
    const Kernels& kernels;
    Partly partly = Partly::none;
    std::vector<void*> data = {};         // by slot; null where it has no memory
    std::vector<SparseList> lists = {};   // by slot; empty but for sparse ones
};

class Convolution;

// An operator over a session's buffers.
class Bound {
public:
    Bound(const Op& op, const Buffers& buffers);
    virtual ~Bound() = default;
    Bound(const Bound&) = delete;
    Bound& operator=(const Bound&) = delete;

    // Takes the grids as they are now; `stale` says that they changed.
    void take_grids(const std::vector<Grid>& grids);
    // Computes output pixels in full: all of them (in order, without a list), or those of a list.
    virtual void run(Runner& runner, Pixels pixels) = 0;
    // The output rows that see these rows of its inputs; all where that would be long to say.
    virtual Rows reach(Rows) const { return {0, op.h}; }
    // How much changed in the window of each output pixel, in these rows at least.
    virtual void fill_mask(const InputChanges& changes, Rows rows, uint16_t* mask) const = 0;
    // Whether the network's input is read where the caller has it, and it lies there.
    virtual bool reads_input() const { return false; }
    virtual void set_input(const float*) {}
    // Whether every pixel is new in every frame, whatever changed.
    virtual bool always_all() const { return reads_input(); }
    // A convolution that can add changes to the accumulators of the last frame; null where there is no such way.
    virtual Convolution* convolution() { return nullptr; }
    // How far a window reaches past a row's ends, and the bytes that are held beside the tensors.
    virtual int32_t margin() const { return 0; }
    virtual size_t bytes() const { return 0; }

    const Op& op;
    std::vector<Step> steps;
    std::vector<Tensor> inputs;
    bool stale = true;

protected:
    virtual void take_input_grid(const Grid&) {}
    Program program() const { return {steps.data(), int32_t(steps.size()), op.c}; }
    Tensor output() const {
        Tensor out;
        out.h = op.h, out.w = op.w, out.c = op.c;
        return out;
    }
    Tensor input() const { return inputs.empty() ? Tensor() : inputs[0]; }
};

// One whose output pixel sees the input pixel at its own place.
class PixelBound : public Bound {
public:
    using Bound::Bound;
    Rows reach(Rows rows) const override { return rows; }
    void fill_mask(const InputChanges& changes, Rows rows, uint16_t* mask) const override {
        const int64_t begin = int64_t(rows.first) * op.w, end = int64_t(rows.last) * op.w;
        std::memcpy(mask + begin, changes.masks[0] + begin, size_t(end - begin) * 2);
    }
};

// For those of which every pixel may see every change of the first input.
inline void fill_all(const InputChanges& changes, const Tensor& in, const Op& op, uint16_t* mask) {
    uint16_t any = 0;
    for (int64_t p = int64_t(changes.rows.first) * in.w; p < int64_t(changes.rows.last) * in.w; p++)
        any |= changes.masks[0][p];
    std::fill(mask, mask + op.pixels(), uint16_t(any != 0));
}

// For those of which every pixel may see every change of any input.
inline void fill_all(const InputChanges& changes, const std::vector<Tensor>& inputs, const Op& op, uint16_t* mask) {
    uint16_t any = 0;
    for (size_t i = 0; i < inputs.size(); i++)
        for (int64_t p = 0; p < inputs[i].pixels(); p++) any |= changes.masks[i][p];
    std::fill(mask, mask + op.pixels(), uint16_t(any != 0));
}

// An operator that is `T`, with what every operator has.
template <class T>
std::unique_ptr<T> made_of(const OpHead& head) {
    auto made = std::make_unique<T>();
    static_cast<OpHead&>(*made) = head;
    return made;
}

}  // namespace vq
