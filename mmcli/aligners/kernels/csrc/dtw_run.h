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

typedef struct { lines_t row, col, krow, kcol, end; WORD *dirs; double *low; } kept_t;   // all that a run keeps of the matrix

static void kept_free(kept_t *k) {
  lines_free(&k->row); lines_free(&k->col); lines_free(&k->krow); lines_free(&k->kcol); lines_free(&k->end);
  free(k->dirs);
  free(k->low);
}

static int kept_new(kept_t *k, const run_t *s, int want_path) {
  const dtw_plan *g = s->g;
  const idx row_seg = s->hr * g->kc, col_seg = s->hc * g->kr;
  if (lines_dense(&k->row, 1, g->mb, 0, row_seg) || lines_dense(&k->col, 1, g->nb, 0, col_seg)) return DTW_NO_MEMORY;
  if (s->p->x_end && lines_dense(&k->end, 1, g->nb, 0, col_seg)) return DTW_NO_MEMORY;
  if (s->p->low && !(k->low = malloc(sizeof(double) * (size_t)g->nb))) return DTW_NO_MEMORY;
  if (!want_path) return DTW_OK;
  if (g->tile_words) return (k->dirs = malloc(sizeof(WORD) * g->tile_words * (size_t)(g->nb * g->mb))) ? DTW_OK : DTW_NO_MEMORY;
  if (lines_new(&k->krow, (g->nb + g->gr - 1) / g->gr, row_seg) || lines_new(&k->kcol, (g->mb + g->gc - 1) / g->gc, col_seg)) return DTW_NO_MEMORY;
  for (idx b = 0; b < k->krow.count; b++) {
    const idx from = RUN_MAX(g->c0[b * g->gr] - 1, 0);
    lines_range(&k->krow, b, from, g->c1[b * g->gr] - from);
  }
  for (idx c = 0; c < k->kcol.count; c++) lines_range(&k->kcol, c, g->r0[c * g->gc], g->r1[c * g->gc] - g->r0[c * g->gc]);
  return lines_alloc(&k->krow) || lines_alloc(&k->kcol) ? DTW_NO_MEMORY : DTW_OK;
}

// The sweep, the end of the path, and the way back; *length stays 0 where only the cost is wanted.
static int solve(run_t *s, kept_t *k, double *cost, int64_t *path, idx *length) {
  const dtw_problem *p = s->p;
  const dtw_plan *g = s->g;
  double *two_rows = malloc(2 * sizeof(double) * (size_t)p->d);
  if (!two_rows) return DTW_NO_MEMORY;
  const double first_cost = dtw_local_cost(p, 0, 0, two_rows) * s->cost_scale;
  free(two_rows);
  corner_t corner;
  virtual_borders(s, &k->row, &k->col, first_cost, &corner);
  const int borders = path && !k->dirs;
  sweep_t w = {.b0 = 0, .b1 = g->nb, .c0 = 0, .c1 = g->mb, .row = &k->row, .col = &k->col, .corner = corner, .gr = g->gr, .gc = g->gc,
               .krow = borders ? &k->krow : NULL, .kcol = borders ? &k->kcol : NULL, .end = p->x_end ? &k->end : NULL, .complete = 1,
               .dirs = k->dirs, .most = p->most, .low = k->low};
  int code = wave(s, &w);
  if (code) return code;
  for (idx q = 0; k->low && q < p->n; q++) {   // values never fall from row to row, and are known where a tile ends
    const idx b = (q + 1) / g->kr;
    p->low[q] = b ? k->low[b - 1] / s->cost_scale : 0;
  }
  walk_t walk = {.i = p->n - 1, .j = p->m - 1, .path = path};
  double best = w.last;
  if (p->y_end || p->x_end) best = open_end(s, &k->row, &k->end, best, &walk.i, &walk.j);
  if (!(best < INFINITY)) return DTW_NO_PATH;
  *cost = best / s->cost_scale;
  if (!path) return DTW_OK;
  code = k->dirs ? trace_kept(s, &walk, k->dirs) : trace_again(s, &walk, &k->krow, &k->kcol, corner);
  if (code) return code;
  turn_round(path, walk.length);
  *length = walk.length;
  *cost = dtw_path_cost(p, path, walk.length, s->opt, &code);
  return code;
}

int RUN(const dtw_problem *p, const dtw_plan *g, const dtw_options *opt, double *cost, int64_t *path, idx *length) {
  run_t s = {.p = p, .g = g, .opt = opt, .upper = INFINITY};
  kept_t kept = {0};
  *cost = INFINITY;
  *length = 0;
  s.hr = 1 << p->pattern & DTW_ROWS_DEEP ? 2 : 1;
  s.hc = 1 << p->pattern & DTW_COLS_DEEP ? 2 : 1;
  int code = pack(&s);
  if (!code) code = kept_new(&kept, &s, path != NULL);
  if (!code) code = solve(&s, &kept, cost, path, length);
  kept_free(&kept);
  unpack(&s);
  return code;
}
