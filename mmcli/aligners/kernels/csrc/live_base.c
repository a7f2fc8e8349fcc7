// The row kernel for every machine without one of its own: SSE2 on x86-64, NEON on arm64, plain vector extensions elsewhere.
#define KERNEL live_kernel_base
#define KERNEL_NAME "base"
#include "live_rows.h"
