// The lane kernel for avx2. The target is set here and not by compiler flags, so that any build system compiles it like the rest. Without
// fused multiply-add: every instruction set gives the same bits.
#include "pairs.h"
#ifdef PAIRS_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define KERNEL pairs_kernel_avx2
#define KERNEL_NAME "avx2"
#define LANES 4
#include "pairs_lanes.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
