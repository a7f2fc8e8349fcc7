#define REAL float
#define WORD uint32_t
#define TILE tile_f32
#define FIELD f32
#define RUN dtw_run_f32
#include "dtw_run.h"
