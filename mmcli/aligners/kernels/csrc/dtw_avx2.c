// The tile kernel for avx2. The target is set here and not by compiler flags, so that any build system compiles it like the rest.
#include "dtw.h"
#ifdef DTW_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define KERNEL dtw_kernel_avx2
#define KERNEL_NAME "avx2"
#ifndef LANES
#define LANES 8
#define VECTORS 2
#define UNROLL 4
#endif
#include "dtw_tile.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
