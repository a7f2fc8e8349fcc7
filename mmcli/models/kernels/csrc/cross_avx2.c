// The lane kernel for avx2. The target is set here and not by compiler flags, so that any build system compiles it like the rest.
#include "cross.h"
#ifdef CROSS_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define KERNEL cross_kernel_avx2
#define KERNEL_NAME "avx2"
#define LANES 8
#define WIDE 2
#include "cross_lanes.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
