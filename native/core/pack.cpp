#include "pack.h"

#include <algorithm>
#include <cstring>

namespace vq {

ConvWeights pack_conv(const int8_t* weight, int32_t c_out, int32_t c_in, int32_t groups, int32_t kernel,
                      const std::vector<int32_t>& taps) {
    ConvWeights made;
    made.taps = int32_t(taps.size());
    const int32_t out_each = c_out / groups, in_each = c_in / groups;
    made.sums = Memory::of<int32_t>(size_t(c_out) + 128);
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
                            made.sums.as<int32_t>()[b.first + c] += out[4 * c + i];
                        }
            b.weight = packed.as<int8_t>();
            made.blocks.push_back(b);
            made.weights.push_back(std::move(packed));
        }
    }
    made.pairs->weights.resize(made.blocks.size());
    made.tiles->weights.resize(made.blocks.size());
    for (size_t k = 0; k < made.blocks.size(); k++) {
        made.blocks[k].sums = made.sums.as<int32_t>() + made.blocks[k].first;
        made.blocks[k].pairs = &made.pairs->weights[k];
        made.blocks[k].tiles = &made.tiles->weights[k];
    }
    return made;
}

void pack_pairs(const ConvWeights& made) {
    std::call_once(made.pairs->once, [&] {
        for (size_t k = 0; k < made.blocks.size(); k++) {
            const Block& b = made.blocks[k];
            const int64_t groups = int64_t(made.taps) * b.groups;  // of all taps
            made.pairs->weights[k] = Memory::of<int16_t>(size_t(64 * groups * b.vectors));
            int16_t* out = made.pairs->weights[k].as<int16_t>();
            for (int32_t v = 0; v < b.vectors; v++)
                for (int64_t group = 0; group < groups; group++)
                    for (int32_t pair = 0; pair < 2; pair++)
                        for (int32_t c = 0; c < 16; c++, out += 2)
                            for (int32_t i = 0; i < 2; i++)
                                out[i] = b.weight[64 * (group * b.vectors + v) + 4 * c + 2 * pair + i];
        }
    });
}

// A product of tiles takes 16 cycles for 64 bytes of 16 pixels, whether they are there or not, one of vectors half a cycle
// for 4 bytes of a pixel (Intel's Sapphire Rapids): where few bytes follow each other, tiles would be mostly empty.
void pack_tiles(const ConvWeights& made, int32_t run) {
    const int32_t groups = made.blocks[0].groups, of_run = (run * groups + 15) / 16, runs = made.taps / run;
    for (const Block& b : made.blocks)
        if (b.groups != groups || 2 * runs * of_run >= made.taps * groups) return;
    std::call_once(made.tiles->once, [&] {
        for (size_t k = 0; k < made.blocks.size(); k++) {
            const Block& b = made.blocks[k];
            const int64_t row = 64 * b.vectors;
            made.tiles->weights[k] = Memory::of<int8_t>(size_t(runs * of_run * 16 * row));
            int8_t* out = made.tiles->weights[k].as<int8_t>();
            for (int32_t strip = 0; strip < b.vectors; strip += 2)
                for (int32_t r = 0; r < runs; r++)
                    for (int32_t chunk = 0; chunk < of_run; chunk++)
                        for (int32_t v = strip; v < std::min(strip + 2, b.vectors); v++)
                            for (int32_t i = 0; i < 16; i++, out += 64) {
                                const int64_t in_run = 16 * chunk + i;
                                if (in_run < run * groups)
                                    std::memcpy(out, b.weight + (int64_t(r) * run * groups + in_run) * row + 64 * v, 64);
                            }
        }
    });
}

// F(2 × 2, 3 × 3): Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A (Lavin and Gray, Fast algorithms for convolutional neural networks,
// CVPR 2016, Section 4.1). G holds halves; 2G is whole, so all is done in integers, and gives 4Y exactly.
const int16_t* pack_winograd(const ConvWeights& made) {
    static constexpr int32_t twice[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};  // 2G
    std::call_once(made.winograd->once, [&] {
        const int64_t groups = made.blocks[0].groups;
        int64_t vectors = 0;
        for (const Block& b : made.blocks) vectors += b.vectors;
        made.winograd->weights.push_back(Memory::of<int16_t>(size_t(vectors * 16 * groups * 64)));
        int16_t* out = made.winograd->weights[0].as<int16_t>();
        // [vector][place of 4 × 4][2 · group][16 channels][2]
        for (const Block& b : made.blocks)
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
    return made.winograd->weights[0].as<int16_t>();
}

DepthwiseWeights pack_depthwise(const int8_t* weight, int32_t channels, int32_t kernel) {
    DepthwiseWeights made;
    const int32_t padded = (channels + 63) / 64 * 64, quads = (kernel + 3) / 4;
    made.flat = Memory::of<int8_t>(size_t(kernel) * size_t(padded));
    made.interleaved = Memory::of<int8_t>(size_t(quads) * 4 * size_t(padded));
    made.sums = Memory::of<int32_t>(size_t(padded) + 64);
    int8_t* flat = made.flat.as<int8_t>();
    int8_t* interleaved = made.interleaved.as<int8_t>();
    for (int32_t c = 0; c < channels; c++)
        for (int32_t t = 0; t < kernel; t++) {
            const int8_t w = weight[int64_t(c) * kernel + t];
            flat[t * padded + c] = w;
            made.sums.as<int32_t>()[c] += w;
            // Within 64 channels vector j holds channels 4j … 4j + 3 of each block of 16 (see
            // depthwise_u8s8_1x64_avx512.h).
            const int32_t in64 = c % 64, lane = in64 / 16, j = in64 % 16 / 4, i = in64 % 4;
            interleaved[int64_t(c / 64) * 256 * quads + t / 4 * 256 + j * 64 + lane * 16 + i * 4 + t % 4] = w;
        }
    return made;
}

}  // namespace vq
