// Steps of two numbers that no kernel has vectors for. Every instruction set calls the same functions of C, so they are the
// kernels and their scalar twins in one.
#pragma once
#include <cmath>

#include "types.h"

namespace vq {

inline bool is_of_two(Do kind) { return kind >= Do::pow && kind <= Do::rkeep_unless; }

// x: the program's value; other: the step's operand. Those with an r have them the other way round. Static: each
// instruction set compiles a copy of its own.
static inline float of_two(Do kind, float x, float other) {
    switch (kind) {
        case Do::pow: return ::powf(x, other);
        case Do::rpow: return ::powf(other, x);
        case Do::fmod: return ::fmodf(x, other);
        case Do::rfmod: return ::fmodf(other, x);
        case Do::equal: return x == other ? 1.0f : 0.0f;
        case Do::greater: return x > other ? 1.0f : 0.0f;
        case Do::rgreater: return other > x ? 1.0f : 0.0f;
        case Do::greater_equal: return x >= other ? 1.0f : 0.0f;
        case Do::rgreater_equal: return other >= x ? 1.0f : 0.0f;
        case Do::keep_where: return other != 0 ? x : 0.0f;
        case Do::rkeep_where: return x != 0 ? other : 0.0f;
        case Do::keep_unless: return other != 0 ? 0.0f : x;
        case Do::rkeep_unless: return x != 0 ? 0.0f : other;
        default: return x;
    }
}

}  // namespace vq
