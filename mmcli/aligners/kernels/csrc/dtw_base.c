// The tile kernel for every other machine: SSE2 on x86-64, NEON on arm64, plain vector extensions elsewhere.
#define KERNEL dtw_kernel_base
#define KERNEL_NAME "base"
#ifndef LANES
#define LANES 4
#define VECTORS 4
#define UNROLL 4
#endif
#include "dtw_tile.h"
