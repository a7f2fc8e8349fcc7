// Rows of the input as doubles, the local cost between two of them, and the float64 cost of a path.
//
// Cosine: 1 - cos loses its digits where rows are alike; half the squared distance of the unit rows is the same number and does not.
// A zero row has no direction: it costs 0 against another zero row and 1 against any other, as if it pointed along an axis of its own.
#include "dtw.h"
#include <math.h>
#include <stdlib.h>

int dtw_row(const dtw_problem *p, int of_y, idx i, double *to) {
  const void *from = of_y ? p->y : p->x;
  const int d = p->d;
  if (p->is_float) for (int f = 0; f < d; f++) to[f] = ((const float *)from)[i * d + f];
  else for (int f = 0; f < d; f++) to[f] = ((const double *)from)[i * d + f];
  if (p->metric != DTW_COS) return 0;
  double largest = 0, square = 0;
  for (int f = 0; f < d; f++) largest = fabs(to[f]) > largest ? fabs(to[f]) : largest;
  if (largest == 0) return 1;
  for (int f = 0; f < d; f++) { to[f] /= largest; square += to[f] * to[f]; }
  const double norm = sqrt(square);
  for (int f = 0; f < d; f++) to[f] /= norm;
  return 0;
}

int dtw_zero_row(const dtw_problem *p, int of_y, idx i) {
  const void *from = of_y ? p->y : p->x;
  for (int f = 0; f < p->d; f++)
    if ((p->is_float ? ((const float *)from)[i * p->d + f] : ((const double *)from)[i * p->d + f]) != 0) return 0;
  return 1;
}

double dtw_local_cost(const dtw_problem *p, idx i, idx j, double *a) {
  double *b = a + p->d, t = 0;
  const int zero_x = dtw_row(p, 0, i, a), zero_y = dtw_row(p, 1, j, b);
  if (zero_x || zero_y) return zero_x && zero_y ? 0 : 1;
  for (int f = 0; f < p->d; f++) {
    const double e = a[f] - b[f];
    t += p->metric == DTW_L1 ? fabs(e) : e * e;
  }
  return p->metric == DTW_L2 ? sqrt(t) : p->metric == DTW_COS ? t / 2 : t;
}

double dtw_path_cost(const dtw_problem *p, const int64_t *path, idx length, const dtw_options *opt, int *code) {
  double total = 0, *scratch = malloc(2 * sizeof(double) * (size_t)p->d);
  *code = scratch ? DTW_OK : DTW_NO_MEMORY;
  for (idx q = 0; q < length && *code == DTW_OK; q++) {
    const int64_t *at = path + 2 * q;
    const double c = dtw_local_cost(p, (idx)at[0], (idx)at[1], scratch);
    total += p->pattern == DTW_SYMMETRIC2 && q && at[0] > at[-2] && at[1] > at[-1] ? 2 * c : c;
    if (opt->poll && (q & 255) == 0 && opt->poll(opt->poll_arg)) *code = DTW_STOPPED;
  }
  free(scratch);
  return total;
}
