// What tests of parts say where they fail.
#pragma once
#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            std::printf("%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            std::exit(1);                                                                      \
        }                                                                                      \
    } while (false)
