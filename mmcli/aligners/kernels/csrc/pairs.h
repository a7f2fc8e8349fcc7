// Many short warps at once, one pair a SIMD lane: internal interface between the lane kernels and the Python module.
#ifndef PAIRS_H
#define PAIRS_H
#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t idx;   // rows, columns; long has 32 bits on Windows

enum { PAIRS_SQUARE = 0, PAIRS_L2 = 1, PAIRS_L1 = 2 };
enum { PAIRS_SYMMETRIC1 = 0, PAIRS_SYMMETRIC2 = 1, PAIRS_ASYMMETRIC = 2, PAIRS_SLOPE2 = 3 };
enum { PAIRS_PAD = 2 };  // columns of infinity left of the first

// One series x of n rows against as many as there are lanes. y is packed [column][dimension][lane], infinity past the end of a series.
// ranges (n, 2): the columns [lo, hi) of each row, non-decreasing, or NULL. work: 2 * (columns + PAIRS_PAD) * lanes doubles.
// out: the distance of each lane, infinity where it exceeds `upper` (or may be the distance all the same).
typedef struct {
  const double *x, *y;
  const int64_t *ranges, *lengths;
  idx n, columns;
  int d, metric, pattern;
  double upper, *work, *out;
} pairs_job;

typedef struct {
  const char *name;
  int lanes;
  void (*run)(const pairs_job *j);
} pairs_kernel;

extern const pairs_kernel pairs_kernel_base;
#if defined(__x86_64__) && defined(__GNUC__)
#define PAIRS_X86 1
extern const pairs_kernel pairs_kernel_avx2, pairs_kernel_avx512;
#endif
#endif
