// Dynamic time warping of one series against LANES others, one pair a lane, float64. Included once per instruction set by a translation
// unit that defines KERNEL (symbol), KERNEL_NAME and LANES and has switched the compiler to that set.
//
// Short series leave no room for the tiles of the long ones, and no cell of a pair need wait for another lane. Four rows are worked
// through a column at a time: each column is loaded once for the four, and while one cell waits for its left neighbour, the processor
// works on the rows below it in the columns before.
#include "pairs.h"
#include <math.h>
#include <string.h>

#if defined(__clang__)   // no fused multiply-add: every instruction set gives the same bits
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 4")
typedef double vd __attribute__((vector_size(8 * LANES)));
typedef int64_t vi __attribute__((vector_size(8 * LANES)));
typedef double vd_mem __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

INLINE vd v_splat(double a) { return a - (vd){0}; }
INLINE vd v_load(const double *p) { return *(const vd_mem *)p; }
INLINE void v_store(double *p, vd a) { *(vd_mem *)p = a; }
INLINE vd v_abs(vd a) { return (vd)((vi)a & 0x7fffffffffffffffLL); }
#if LANES == 8 && defined(PAIRS_X86)
INLINE vd v_min(vd a, vd b) { return (vd)_mm512_min_pd((__m512d)a, (__m512d)b); }
INLINE vd v_sqrt(vd a) { return (vd)_mm512_sqrt_pd((__m512d)a); }
#elif LANES == 4 && defined(PAIRS_X86)
INLINE vd v_min(vd a, vd b) { return (vd)_mm256_min_pd((__m256d)a, (__m256d)b); }
INLINE vd v_sqrt(vd a) { return (vd)_mm256_sqrt_pd((__m256d)a); }
#else
INLINE vd v_min(vd a, vd b) { const vi m = a < b; return (vd)(((vi)a & m) | ((vi)b & ~m)); }
INLINE vd v_sqrt(vd a) { for (int l = 0; l < LANES; l++) a[l] = sqrt(a[l]); return a; }
#endif

typedef struct { vd above, beyond; } least;   // the least of the last row and of the one before it

// Columns [j0, j1) of `rows` rows from row i on. l1 and l2: those rows one and two columns back; u1, u2 and v1: the rows above likewise.
// `masked` columns check the ranges of each row and the first cell. All the ints are constants at every call.
INLINE void columns(const pairs_job *q, const double *x, idx i, int rows, idx j0, idx j1, const idx *lo, const idx *hi, int d, int metric,
                    int pattern, int masked, vd *l1, vd *l2, vd *u1, vd *u2, vd *v1, least *low) {
  double *p1 = q->work + PAIRS_PAD * LANES, *p2 = p1 + (q->columns + PAIRS_PAD) * LANES;
  const double *y = q->y + j0 * d * LANES;
  for (idx j = j0; j < j1; j++) {
    vd c[4], now[4];
    UNROLLED for (int r = 0; r < rows; r++) c[r] = (vd){0};
    for (int f = 0; f < d; f++, y += LANES) {
      const vd b = v_load(y);
      UNROLLED for (int r = 0; r < rows; r++) {
        const vd e = b - x[r * d + f];
        c[r] += metric == PAIRS_L1 ? v_abs(e) : e * e;
      }
    }
    const vd up = v_load(p1 + j * LANES), over = pattern == PAIRS_SLOPE2 ? v_load(p2 + j * LANES) : up;
    UNROLLED for (int r = 0; r < rows; r++) {
      if (metric == PAIRS_L2) c[r] = v_sqrt(c[r]);
      const vd above = r ? now[r ? r - 1 : 0] : up, diagonal = r ? l1[r ? r - 1 : 0] : *u1;
      vd best;
      if (pattern == PAIRS_SYMMETRIC1) best = v_min(v_min(diagonal, above), l1[r]);
      else if (pattern == PAIRS_SYMMETRIC2) best = v_min(v_min(diagonal + c[r], above), l1[r]);
      else {
        const vd far = r ? l2[r ? r - 1 : 0] : *u2;
        const vd other = pattern == PAIRS_ASYMMETRIC ? above : r > 1 ? l1[r > 1 ? r - 2 : 0] : r ? *u1 : *v1;
        best = v_min(v_min(diagonal, other), far);
      }
      now[r] = best + c[r];
      if (masked) {
        if (i + r == 0 && j == 0) now[r] = c[r];
        if (j < lo[r] || j >= hi[r]) now[r] = v_splat(INFINITY);
      }
    }
    *u2 = *u1; *u1 = up; *v1 = over;
    UNROLLED for (int r = 0; r < rows; r++) { l2[r] = l1[r]; l1[r] = now[r]; }
    v_store(p1 + j * LANES, now[rows - 1]);
    low->above = v_min(low->above, now[rows - 1]);
    if (pattern == PAIRS_SLOPE2) {
      const vd last = rows > 1 ? now[rows > 1 ? rows - 2 : 0] : up;
      v_store(p2 + j * LANES, last);
      low->beyond = v_min(low->beyond, last);
    }
  }
}

// `rows` rows from row i on; non-zero: no lane can end at `upper` or below.
INLINE int block(const pairs_job *q, idx i, int rows, idx *clean, int d, int metric, int pattern) {
  double *p1 = q->work + PAIRS_PAD * LANES, *p2 = p1 + (q->columns + PAIRS_PAD) * LANES;
  idx lo[4], hi[4];
  for (int r = 0; r < rows; r++) {
    lo[r] = q->ranges ? q->ranges[2 * (i + r)] : 0;
    hi[r] = q->ranges ? q->ranges[2 * (i + r) + 1] : q->columns;
  }
  idx first = lo[0], full0 = lo[rows - 1], full1 = hi[0], last = hi[rows - 1];
  if (i == 0 && full0 < 1) full0 = 1;
  if (full1 > last) full1 = last;
  if (full0 > full1) full0 = full1 = last;
  const vd inf = v_splat(INFINITY);
  vd l1[4] = {inf, inf, inf, inf}, l2[4] = {inf, inf, inf, inf};
  vd u1 = v_load(p1 + (first - 1) * LANES), u2 = v_load(p1 + (first - 2) * LANES);
  vd v1 = pattern == PAIRS_SLOPE2 ? v_load(p2 + (first - 1) * LANES) : inf;
  least low = {inf, inf};
  for (; *clean < first; ++*clean) {           // columns that the corridor has left
    v_store(p1 + *clean * LANES, inf);
    if (pattern == PAIRS_SLOPE2) v_store(p2 + *clean * LANES, inf);
  }
  const double *x = q->x + i * d;
#define PART(A, B, MASKED) columns(q, x, i, rows, A, B, lo, hi, d, metric, pattern, MASKED, l1, l2, &u1, &u2, &v1, &low)
  if (rows == 1) PART(first, last, 1);
  else
    for (idx a = first, b = full0; a < last; a = b, b = b < full1 ? full1 : last) {   // the edges, and between them no mask
      if (a >= full0 && a < full1) PART(a, b, 0);
      else PART(a, b, 1);
    }
#undef PART
  vd t = low.above;
  if (pattern == PAIRS_SLOPE2) t = v_min(t, low.beyond);   // a step may leave out the last row
  for (int l = 0; l < LANES; l++)
    if (t[l] <= q->upper) return 0;
  return 1;
}

INLINE void lanes(const pairs_job *q, int d, int metric, int pattern) {
  const idx cells = (q->columns + PAIRS_PAD) * LANES;
  for (idx k = 0; k < (pattern == PAIRS_SLOPE2 ? 2 : 1) * cells; k++) q->work[k] = INFINITY;
  idx i = 0, clean = 0;
  int over = 0;
  for (; !over && i + 4 <= q->n; i += 4) over = block(q, i, 4, &clean, d, metric, pattern);
  for (; !over && i < q->n; i++) over = block(q, i, 1, &clean, d, metric, pattern);
  const double *end = q->work + PAIRS_PAD * LANES;
  for (int l = 0; l < LANES; l++) q->out[l] = over ? INFINITY : end[(q->lengths[l] - 1) * LANES + l];
}

static void run(const pairs_job *q) {
  const int metric = q->d == 1 && q->metric == PAIRS_L2 ? PAIRS_L1 : q->metric;   // the same numbers without the square root
#ifdef PAIRS_ONE_FOR_ALL   // the same code without a copy for each case: those take the sanitizers minutes to compile
  lanes(q, q->d, metric, q->pattern);
#else
#define CASE(M, P)                                                                                                                 \
  if (metric == M && q->pattern == P) {                                                                                            \
    if (q->d == 1) lanes(q, 1, M, P);                                                                                              \
    else lanes(q, q->d, M, P);                                                                                                     \
  }
#define CASES(M) CASE(M, PAIRS_SYMMETRIC1) CASE(M, PAIRS_SYMMETRIC2) CASE(M, PAIRS_ASYMMETRIC) CASE(M, PAIRS_SLOPE2)
  CASES(PAIRS_SQUARE) CASES(PAIRS_L1)
  if (q->d > 1) { CASES(PAIRS_L2) }
#endif
}

const pairs_kernel KERNEL = {KERNEL_NAME, LANES, run};
