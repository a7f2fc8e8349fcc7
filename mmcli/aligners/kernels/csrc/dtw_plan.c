// What a run will allocate, known before it starts: tiles, the spacing of the borders that are kept, and which tiles there are.
#include "dtw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static idx ceil_div(idx a, idx b) { return (a + b - 1) / b; }
static idx min_l(idx a, idx b) { return a < b ? a : b; }
static idx max_l(idx a, idx b) { return a > b ? a : b; }

// Tile columns that each tile row may use, and from them the tile rows whose left border at a tile column is worth keeping.
static void ranges(dtw_plan *g, const dtw_problem *p) {
  for (idx c = 0; c <= g->mb; c++) { g->r0[c] = g->nb; g->r1[c] = 0; }
  for (idx b = 0; b < g->nb; b++) {
    idx lo = p->corridor ? p->m : 0, hi = p->corridor ? 0 : p->m;
    if (p->corridor)
      for (idx i = b * g->kr; i < min_l(p->n, (b + 1) * g->kr); i++) {
        lo = min_l(lo, (idx)p->corridor[2 * i]);
        hi = max_l(hi, (idx)p->corridor[2 * i + 1]);
      }
    g->c0[b] = lo / g->kc;
    g->c1[b] = ceil_div(hi, g->kc);
    for (idx c = g->c0[b]; c <= g->c1[b]; c++) {   // c1 too: the row below may start there
      g->r0[c] = min_l(g->r0[c], b);
      g->r1[c] = max_l(g->r1[c], b + 1);
    }
  }
}

// Bytes of the kept borders with a spacing of gr, gc tiles, and of the densest region that is swept again between them.
static double kept_bytes(const dtw_plan *g, const dtw_problem *p, idx gr, idx gc) {
  const double real = p->use_double ? 8 : 4;
  const int hr = 1 << p->pattern & DTW_ROWS_DEEP ? 2 : 1, hc = 1 << p->pattern & DTW_COLS_DEEP ? 2 : 1;
  double segs = 0, bytes = 0;
  for (idx b = 0; b < g->nb; b += gr) segs += (double)(g->c1[b] - g->c0[b] + 1);
  bytes += segs * ((double)hr * g->kc * real + sizeof(double));
  segs = 0;
  for (idx c = 0; c < g->mb; c += gc) segs += g->r1[c] > g->r0[c] ? (double)(g->r1[c] - g->r0[c]) : 0;
  bytes += segs * ((double)hc * g->kr * real + sizeof(double));
  const double rr = (double)min_l(gr, g->nb), rc = (double)min_l(gc, g->mb);
  bytes += (rr + 1) * (rc + 1) * (((double)hr * g->kc + (double)hc * g->kr) * real + 2 * sizeof(double));
  return bytes;
}

// Two bits a cell in words as large as the numbers, for strips that take as many steps more as they have rows.
static double words_of_tile(const dtw_plan *g, const dtw_problem *p) {
  const idx steps = p->use_double ? 32 : 16;
  return (double)(g->kr * ((g->kc + g->strip - 1 + steps - 1) / steps));
}

static double total_bytes(const dtw_plan *g, const dtw_problem *p, int want_path) {
  const double real = p->use_double ? 8 : 4, n = (double)p->n, m = (double)p->m;
  const int hr = 1 << p->pattern & DTW_ROWS_DEEP ? 2 : 1, hc = 1 << p->pattern & DTW_COLS_DEEP ? 2 : 1;
  double b = (n + g->strip) * g->width * real + (double)g->mb * g->stride * g->width * real;   // packed rows and panels
  b += hr * ((double)g->mb * g->kc * real + 8. * g->mb) + hc * ((double)g->nb * g->kr * real + 8. * g->nb);   // running borders
  if (p->x_end) b += hc * ((double)g->nb * g->kr * real + 8. * g->nb);
  b += g->threads * (real * (2. * g->kc + 8. * g->kr + 8. * DTW_PAD) + 8. * g->kr);
  b += (2. * g->nb + 2. * (g->mb + 1) + g->nb) * sizeof(idx) + 40. * p->d;
  if (want_path) {
    const double tiles = g->tile_words ? (double)g->nb * g->mb : 1;
    if (!g->tile_words) b += kept_bytes(g, p, g->gr, g->gc);
    b += 16. * (n + m - 1);
    b += tiles * words_of_tile(g, p) * real;
    b += 8. * (ceil_div(g->nb, g->gr) + ceil_div(g->mb, g->gc) + 4) * 3;
  }
  return b + 8192;
}

int dtw_plan_make(dtw_plan *g, const dtw_problem *p, const dtw_options *opt, int want_path) {
  memset(g, 0, sizeof *g);
  g->kernel = opt->kernel ? opt->kernel : dtw_pick_kernel(NULL);
  g->lanes = p->use_double ? g->kernel->f64->lanes : g->kernel->f32->lanes;
  g->strip = p->use_double ? g->kernel->f64->rows : g->kernel->f32->rows;
  g->width = p->d;
  if (p->metric == DTW_COS) {   // a feature in which only zero rows are not zero: see dtw_rows.c
    for (idx i = 0; i < p->n && g->width == p->d; i++) g->width += dtw_zero_row(p, 0, i);
    for (idx j = 0; j < p->m && g->width == p->d; j++) g->width += dtw_zero_row(p, 1, j);
  }
  g->kr = opt->tile_rows ? opt->tile_rows : 256;
  g->kc = opt->tile_cols;
  if (!g->kc) {
    // Wider tiles waste less on the skew but re-run more; a panel should stay in the second-level cache.
    double cells = (double)p->n * (double)p->m;
    if (p->corridor) cells = 0;
    for (idx i = 0; p->corridor && i < p->n; i++) cells += (double)(p->corridor[2 * i + 1] - p->corridor[2 * i]);
    const double columns = cells / (double)p->n;
    g->kc = columns < 3000 && p->corridor ? 256 : p->n > 8192 && columns > 8192 ? 1024 : 512;
    while (g->kc > 256 && (double)g->kc * g->width * (p->use_double ? 8 : 4) > 512e3) g->kc /= 2;
  }
  g->nb = ceil_div(p->n, g->kr);
  g->mb = ceil_div(p->m, g->kc);
  g->threads = opt->threads > 1 && g->nb >= 4 && g->mb >= 2 && (double)p->n * p->m > 4e6 ? (int)min_l(opt->threads, g->nb) : 1;
  // An odd number of cache lines between features, so that they do not fall into the same cache sets.
  g->stride = (((g->kc + 2 * DTW_PAD + 15) / 16) | 1) * 16;
  g->c0 = malloc(sizeof(idx) * (size_t)g->nb); g->c1 = malloc(sizeof(idx) * (size_t)g->nb);
  g->r0 = malloc(sizeof(idx) * (size_t)(g->mb + 1)); g->r1 = malloc(sizeof(idx) * (size_t)(g->mb + 1));
  if (!g->c0 || !g->c1 || !g->r0 || !g->r1) return DTW_NO_MEMORY;
  ranges(g, p);
  // Kept borders cost about 8 * n * m / G bytes where they lie G cells apart; the region that is swept again grows with G. Up to
  // 48 MB the borders of all tiles are kept. Regions are square, as the path is nearly a diagonal.
  g->gr = g->gc = opt->group ? opt->group : 1;
  // Few tiles: cheaper to note all directions than to run half of the tiles again.
  if (want_path && !opt->group && g->nb * g->mb <= 12) {
    g->tile_words = (size_t)words_of_tile(g, p);
    g->bytes = (size_t)total_bytes(g, p, 1);
    if (!opt->memory || g->bytes <= opt->memory) return DTW_OK;
    g->tile_words = 0;
  }
  if (!want_path || opt->group) {
    g->bytes = (size_t)total_bytes(g, p, want_path);
    return opt->memory && g->bytes > opt->memory ? DTW_TOO_LARGE : DTW_OK;
  }
  double least = INFINITY;
  for (idx cells = 1;; cells *= 2) {
    g->gr = max_l(1, cells / g->kr); g->gc = max_l(1, cells / g->kc);
    const double bytes = total_bytes(g, p, want_path);
    least = bytes < least ? bytes : least;
    g->bytes = (size_t)bytes;
    if (kept_bytes(g, p, g->gr, g->gc) <= 48e6 && (!opt->memory || g->bytes <= opt->memory)) return DTW_OK;
    if (opt->memory && g->bytes <= opt->memory && bytes > least) return DTW_OK;
    if (cells > p->n && cells > p->m) break;
  }
  // Nothing is below the comfortable size: the least that there is.
  for (idx cells = 1;; cells *= 2) {
    g->gr = max_l(1, cells / g->kr); g->gc = max_l(1, cells / g->kc);
    g->bytes = (size_t)total_bytes(g, p, want_path);
    if ((double)g->bytes <= least + 1) break;
  }
  return opt->memory && g->bytes > opt->memory ? DTW_TOO_LARGE : DTW_OK;
}

void dtw_plan_free(dtw_plan *g) {
  free(g->c0); free(g->c1); free(g->r0); free(g->r1);
  memset(g, 0, sizeof *g);
}
