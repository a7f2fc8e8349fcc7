#define ISA 5
#define REAL_BITS 64
#define KERNEL dtw_avx512_f64
#include "dtw_isa.h"
