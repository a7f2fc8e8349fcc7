#define ISA 0
#define REAL_BITS 64
#define KERNEL dtw_base_f64
#include "dtw_isa.h"
