// A run in one number type: dtw_run_f32.c and dtw_run_f64.c define REAL, WORD, TILE, FIELD, RUN and include this.
//
// dtw_borders.h  how borders are kept      dtw_pack.h   the input as strips and panels
// dtw_sweep.h    all tiles, one by one     dtw_wave.h   the same on several threads
// dtw_trace.h    the path back through the tiles it crosses
#include "dtw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RUN_MAX(a, b) ((a) > (b) ? (a) : (b))

#include "dtw_borders.h"
#include "dtw_pack.h"
#include "dtw_sweep.h"
#include "dtw_wave.h"
#include "dtw_trace.h"

int RUN(const dtw_problem *p, const dtw_plan *g, const dtw_options *opt, double *cost, int64_t *path, idx *length) {
  run_t s = {.p = p, .g = g, .opt = opt, .upper = INFINITY};
  double *low = NULL;
  lines_t row = {0}, col = {0}, krow = {0}, kcol = {0}, end = {0};
  int code = DTW_NO_MEMORY;
  *cost = INFINITY;
  *length = 0;
  s.hr = 1 << p->pattern & DTW_ROWS_DEEP ? 2 : 1;
  s.hc = 1 << p->pattern & DTW_COLS_DEEP ? 2 : 1;
  const idx row_seg = s.hr * g->kc, col_seg = s.hc * g->kr;
  if ((code = pack(&s))) goto out;
  code = DTW_NO_MEMORY;
  if (lines_dense(&row, 1, g->mb, 0, row_seg) || lines_dense(&col, 1, g->nb, 0, col_seg)) goto out;
  if (p->x_end && lines_dense(&end, 1, g->nb, 0, col_seg)) goto out;
  if (path) {
    if (lines_new(&krow, (g->nb + g->gr - 1) / g->gr, row_seg) || lines_new(&kcol, (g->mb + g->gc - 1) / g->gc, col_seg)) goto out;
    for (idx k = 0; k < krow.count; k++) {
      const idx from = RUN_MAX(g->c0[k * g->gr] - 1, 0);
      lines_range(&krow, k, from, g->c1[k * g->gr] - from);
    }
    for (idx k = 0; k < kcol.count; k++) lines_range(&kcol, k, g->r0[k * g->gc], g->r1[k * g->gc] - g->r0[k * g->gc]);
    if (lines_alloc(&krow) || lines_alloc(&kcol)) goto out;
  }
  if (p->low && !(low = malloc(sizeof(double) * (size_t)g->nb))) goto out;
  double *two_rows = malloc(2 * sizeof(double) * (size_t)p->d);
  if (!two_rows) goto out;
  const double first_cost = dtw_local_cost(p, 0, 0, two_rows) * s.cost_scale;
  free(two_rows);
  corner_t corner;
  virtual_borders(&s, &row, &col, first_cost, &corner);
  sweep_t w = {.b0 = 0, .b1 = g->nb, .c0 = 0, .c1 = g->mb, .row = &row, .col = &col, .corner = corner, .gr = g->gr, .gc = g->gc,
               .krow = path ? &krow : NULL, .kcol = path ? &kcol : NULL, .end = p->x_end ? &end : NULL, .complete = 1, .most = p->most, .low = low};
  if ((code = wave(&s, &w))) goto out;
  for (idx q = 0; low && q < p->n; q++) {   // values never fall from row to row, and are known where a tile ends
    const idx b = (q + 1) / g->kr;
    p->low[q] = b ? low[b - 1] / s.cost_scale : 0;
  }
  idx i = p->n - 1, j = p->m - 1;
  double best = w.last;
  if (p->y_end || p->x_end) best = open_end(&s, &row, &end, best, &i, &j);
  if (!(best < INFINITY)) { code = DTW_NO_PATH; goto out; }
  if (!path) { *cost = best / s.cost_scale; goto out; }
  if ((code = trace(&s, &krow, &kcol, corner, i, j, path, length))) goto out;
  *cost = dtw_path_cost(p, path, *length, opt, &code);
out:
  lines_free(&row); lines_free(&col); lines_free(&krow); lines_free(&kcol); lines_free(&end);
  unpack(&s);
  free(low);
  return code;
}
