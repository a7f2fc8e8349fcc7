// One tile kernel: a translation unit defines ISA (0 base, 2 AVX2, 5 AVX-512), REAL_BITS and KERNEL, and includes this. The target is
// set here and not by compiler flags, so that any build system compiles every file alike.
#include "dtw.h"
#if ISA == 0 || defined(DTW_X86)

#if ISA == 2
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#elif ISA == 5
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#endif

#if REAL_BITS == 32
#define REAL float
#define INT int32_t
#define WORD uint32_t
#define TILE tile_f32
#define KERNEL_T kernel_f32
#else
#define REAL double
#define INT int64_t
#define WORD uint64_t
#define TILE tile_f64
#define KERNEL_T kernel_f64
#endif

// VECTORS and UNROLL: as many accumulators as the registers hold; LANES must be a multiple of UNROLL (the ring). ISA 0 is SSE2 on x86-64, NEON on arm64, else what the compiler does.
#if ISA == 5
#define LANES (512 / REAL_BITS)
#define VECTORS 2
#define WANTED 8
#elif ISA == 2
#define LANES (256 / REAL_BITS)
#define VECTORS 2
#define WANTED 4
#else
#define LANES (128 / REAL_BITS)
#define VECTORS 4
#define WANTED LANES
#endif
#ifndef UNROLL   // a sanitizer build takes short blocks, which compile in minutes less
#define UNROLL WANTED
#endif
#include "dtw_tile.h"

#if ISA != 0 && defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int dtw_not_for_this_machine;   // an empty translation unit is not C
#endif
