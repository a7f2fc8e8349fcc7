// The lane kernel for every machine without one of its own: SSE2 on x86-64, NEON on arm64, plain vector extensions elsewhere.
#define KERNEL cross_kernel_base
#define KERNEL_NAME "base"
#define LANES 4
#define WIDE 2
#include "cross_lanes.h"
