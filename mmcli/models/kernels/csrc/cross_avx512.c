// The lane kernel for avx512. The target is set here and not by compiler flags, so that any build system compiles it like the rest.
#include "cross.h"
#ifdef CROSS_X86
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define KERNEL cross_kernel_avx512
#define KERNEL_NAME "avx512"
#define LANES 16
#define WIDE 4
#include "cross_lanes.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
