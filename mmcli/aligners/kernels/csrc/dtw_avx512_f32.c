#define ISA 5
#define REAL_BITS 32
#define KERNEL dtw_avx512_f32
#include "dtw_isa.h"
