#define REAL double
#define WORD uint64_t
#define TILE tile_f64
#define FIELD f64
#define RUN dtw_run_f64
#include "dtw_run.h"
