// The row kernel for avx2. The target is set here and not by compiler flags, so that any build system compiles it like the rest. Without
// fused multiply-add: every instruction set gives the same bits.
#include "live.h"
#ifdef LIVE_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define KERNEL live_kernel_avx2
#define KERNEL_NAME "avx2"
#include "live_rows.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
