// Weights into the order in which kernels read them.
#include <algorithm>

#include "plan.h"

namespace vq {

void pack_conv(Part& part, const int8_t* weight, int32_t c_out, int32_t c_in, int32_t groups, int32_t kernel,
               const std::vector<int32_t>& taps) {
    const int32_t out_each = c_out / groups, in_each = c_in / groups;
    part.sums = Memory::of<int32_t>(size_t(c_out) + 128);
    for (int32_t g = 0; g < groups; g++) {
        // Channel groups of 4 that hold this group's input channels; the others among them meet weights of 0.
        const int32_t first_in = g * in_each / 4 * 4, end_in = (g + 1) * in_each;
        const int32_t quads = (end_in - first_in + 3) / 4;
        // Even blocks: 6 vectors are 3 + 3, since a kernel for 3 does more per load than one for 4 and one for 2.
        const int32_t vectors = (out_each + 15) / 16, count = (vectors + 3) / 4;
        for (int32_t k = 0, done = 0; k < count; k++) {
            Block b;
            b.vectors = (vectors - done + count - k - 1) / (count - k);
            b.first = g * out_each + done * 16;
            b.channels = std::min(b.vectors * 16, out_each - done * 16);
            b.in_offset = first_in;
            b.groups = quads;
            done += b.vectors;
            Memory packed = Memory::of<int8_t>(taps.size() * size_t(quads) * 64 * size_t(b.vectors));
            int8_t* out = packed.as<int8_t>();
            for (const int32_t tap : taps)
                for (int32_t quad = 0; quad < quads; quad++, out += 64 * b.vectors)
                    for (int32_t c = 0; c < b.channels; c++)
                        for (int32_t i = 0; i < 4; i++) {
                            const int32_t in = first_in + 4 * quad + i - g * in_each;
                            if (in < 0 || in >= in_each) continue;
                            out[4 * c + i] = weight[(int64_t(b.first + c) * in_each + in) * kernel + tap];
                            part.sums.as<int32_t>()[b.first + c] += out[4 * c + i];
                        }
            b.weight = packed.as<int8_t>();
            part.blocks.push_back(b);
            part.weights.push_back(std::move(packed));
        }
    }
    part.pairs->weights.resize(part.blocks.size());
    for (size_t k = 0; k < part.blocks.size(); k++) {
        part.blocks[k].sums = part.sums.as<int32_t>() + part.blocks[k].first;
        part.blocks[k].pairs = &part.pairs->weights[k];
    }
}

void pack_pairs(const Part& part) {
    std::call_once(part.pairs->once, [&] {
        for (size_t k = 0; k < part.blocks.size(); k++) {
            const Block& b = part.blocks[k];
            const int64_t groups = int64_t(part.dy.size()) * b.groups;  // of all taps
            part.pairs->weights[k] = Memory::of<int16_t>(size_t(64 * groups * b.vectors));
            int16_t* out = part.pairs->weights[k].as<int16_t>();
            for (int32_t v = 0; v < b.vectors; v++)
                for (int64_t group = 0; group < groups; group++)
                    for (int32_t pair = 0; pair < 2; pair++)
                        for (int32_t c = 0; c < 16; c++, out += 2)
                            for (int32_t i = 0; i < 2; i++)
                                out[i] = b.weight[64 * (group * b.vectors + v) + 4 * c + 2 * pair + i];
        }
    });
}

bool takes_winograd(const Op& op) {
    if (op.kind != Kind::conv || op.groups != 1 || op.parts.size() != 1 || op.stride_y != 1 || op.stride_x != 1)
        return false;
    const Part& part = op.parts[0];
    if (part.dy.size() != 9 || part.step_y != 1 || part.step_x != 1) return false;
    for (int32_t t = 0; t < 9; t++)
        if (part.dy[size_t(t)] != part.dy[0] + t / 3 || part.dx[size_t(t)] != part.dx[0] + t % 3) return false;
    // Whole vectors of input channels; few channels do not repay the transformations; sums of four times a product of
    // 3 × 3 weights stay below 2³¹.
    const int32_t inputs = 4 * part.blocks[0].groups;
    return inputs % 16 == 0 && inputs >= 32 && op.c >= 24 && inputs <= 1536;
}

// F(2 × 2, 3 × 3): Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A (Lavin and Gray, Fast algorithms for convolutional neural networks,
// CVPR 2016, Section 4.1). G holds halves; 2G is whole, so all is done in integers, and gives 4Y exactly.
const int16_t* pack_winograd(const Part& part) {
    static constexpr int32_t twice[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};  // 2G
    std::call_once(part.winograd->once, [&] {
        const int64_t groups = part.blocks[0].groups;
        int64_t vectors = 0;
        for (const Block& b : part.blocks) vectors += b.vectors;
        part.winograd->weights.push_back(Memory::of<int16_t>(size_t(vectors * 16 * groups * 64)));
        int16_t* out = part.winograd->weights[0].as<int16_t>();
        // [vector][place of 4 × 4][2 · group][16 channels][2]
        for (const Block& b : part.blocks)
            for (int32_t v = 0; v < b.vectors; v++)
                for (int32_t place = 0; place < 16; place++)
                    for (int64_t group = 0; group < groups; group++)
                        for (int32_t i = 0; i < 64; i++) {
                            const int32_t pair = i / 32, c = i % 32 / 2, input = 2 * pair + i % 2;
                            int32_t sum = 0;
                            for (int32_t t = 0; t < 9; t++)
                                sum += twice[place / 4][t / 3] * twice[place % 4][t % 3] *
                                       b.weight[64 * ((t * groups + group) * b.vectors + v) + 4 * c + input];
                            *out++ = int16_t(sum);
                        }
    });
    return part.winograd->weights[0].as<int16_t>();
}

void pack_depthwise(Part& part, const int8_t* weight, int32_t channels, int32_t kernel) {
    const int32_t padded = (channels + 63) / 64 * 64, quads = (kernel + 3) / 4;
    part.flat = Memory::of<int8_t>(size_t(kernel) * size_t(padded));
    part.interleaved = Memory::of<int8_t>(size_t(quads) * 4 * size_t(padded));
    part.sums = Memory::of<int32_t>(size_t(padded) + 64);
    int8_t* flat = part.flat.as<int8_t>();
    int8_t* interleaved = part.interleaved.as<int8_t>();
    for (int32_t c = 0; c < channels; c++)
        for (int32_t t = 0; t < kernel; t++) {
            const int8_t w = weight[int64_t(c) * kernel + t];
            flat[t * padded + c] = w;
            part.sums.as<int32_t>()[c] += w;
            // Within 64 channels vector j holds channels 4j … 4j + 3 of each block of 16 (see depthwise_u8s8_1x64_avx512.h).
            const int32_t in64 = c % 64, lane = in64 / 16, j = in64 % 16 / 4, i = in64 % 4;
            interleaved[int64_t(c / 64) * 256 * quads + t / 4 * 256 + j * 64 + lane * 16 + i * 4 + t % 4] = w;
        }
}

}  // namespace vq
