#define ISA 0
#define REAL_BITS 32
#define KERNEL dtw_base_f32
#include "dtw_isa.h"
