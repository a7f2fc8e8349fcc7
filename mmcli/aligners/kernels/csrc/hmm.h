// Hidden Markov models, left to right: internal interface between the row kernels and the Python module.
#ifndef HMM_H
#define HMM_H
#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t idx;   // rows, columns; long has 32 bits on Windows

// One block: `rows` frames by `width` states. Emissions and transitions are logarithms; trans (jumps, width): from s to s + k.
typedef struct {
  const double *emission, *trans;
  const int64_t *lo, *hi;        // states allowed at each frame, 0 <= lo <= hi <= width
  idx rows, width, jumps;
} hmm_block;

// What each does is said in hmm_twin.py. `first` (start or end log-probabilities), `codes` and `store` may be NULL. A row of forward
// or backward values is 2 * width doubles, mantissas and then binary exponents, and `store` holds one for each frame. They return 0
// or -1 (no memory).
typedef struct {
  const char *name;
  int (*viterbi)(const hmm_block *b, const double *start, double *row, int8_t *codes);
  int (*forward)(const hmm_block *b, const double *start, double *row, double *store);
  int (*backward)(const hmm_block *b, const double *end, double *row, const double *store, double *gamma);
} hmm_kernel;

#define HMM_EMPTY (-1e300)       // the exponent of zero

extern const hmm_kernel hmm_kernel_base;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(BASE_ONLY)
#define HMM_X86 1
extern const hmm_kernel hmm_kernel_avx2, hmm_kernel_avx512;
#endif
#endif
