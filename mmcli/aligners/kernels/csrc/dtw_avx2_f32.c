#define ISA 2
#define REAL_BITS 32
#define KERNEL dtw_avx2_f32
#include "dtw_isa.h"
