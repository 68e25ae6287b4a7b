#include "move.h"

#include "../core/reference.h"

namespace vq::reference {

void move(const Move& a, Pixels pixels) {
    for (int64_t i = pixels.begin; i < pixels.end; i++) {
        const int32_t p = pixels.at(i), y = p / a.out.w, x = p % a.out.w;
        for (int c = 0; c < a.out.c; c++) {
            float value = 0;
            switch (a.kind) {
                case MoveKind::concat: value = concat(a, y, x, c); break;
                case MoveKind::join: value = join(a, p, c); break;
                case MoveKind::arrange: value = arrange(a, p, c); break;
                case MoveKind::slice: value = slice(a, y, x, c); break;
                case MoveKind::pad_constant:
                case MoveKind::pad_reflect:
                case MoveKind::pad_replicate: value = pad(a, y, x, c); break;
                case MoveKind::shuffle_crd:
                case MoveKind::shuffle_dcr: value = pixel_shuffle(a, y, x, c); break;
            }
            run_program(a.program, value, p, c);
        }
    }
}

}  // namespace vq::reference
