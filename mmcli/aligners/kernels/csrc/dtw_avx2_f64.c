#define ISA 2
#define REAL_BITS 64
#define KERNEL dtw_avx2_f64
#include "dtw_isa.h"
