// The input as the tile kernel wants it: x in strips of rows with the lanes running backwards, y in one panel for each tile column.
//
// Values are shifted and scaled where that changes nothing but the rounding: a feature far from zero is moved by its first value, and
// all are scaled by one power of two so that no square leaves the range of the number type. Costs come out scaled by `cost_scale`.
typedef struct {
  const dtw_problem *p;
  const dtw_plan *g;
  const dtw_options *opt;
  REAL *x, *y;
  double cost_scale, upper;   // upper: scaled, with room for rounding
  int hr, hc;                 // how deep borders are: 1 or 2 cells above, 1 or 2 to the left
} run_t;

// Per feature what is subtracted; returns the scale. ranges: 2 * d.
static double shift_and_scale(const dtw_problem *p, double *shift, double *row) {
  double *lo = shift + p->d, *hi = lo + p->d, largest = 0;
  for (int f = 0; f < p->d; f++) { shift[f] = 0; lo[f] = INFINITY; hi[f] = -INFINITY; }
  for (int side = 0; side < 2; side++)
    for (idx i = 0; i < (side ? p->m : p->n); i++) {
      dtw_row(p, side, i, row);
      for (int f = 0; f < p->d; f++) { lo[f] = RUN_MIN(lo[f], row[f]); hi[f] = RUN_MAX(hi[f], row[f]); }
    }
  dtw_row(p, 0, 0, row);
  for (int f = 0; f < p->d; f++) {
    if (fabs(lo[f] / 2 + hi[f] / 2) > 4 * (hi[f] - lo[f])) shift[f] = row[f];
    largest = RUN_MAX(largest, RUN_MAX(hi[f] - shift[f], shift[f] - lo[f]));
  }
  if (largest == 0) return 1;
  int exponent;
  frexp(largest, &exponent);
  return ldexp(1, -exponent);
}

static void unpack(run_t *s) { free(s->x); free(s->y); }

static int pack(run_t *s) {
  const dtw_problem *p = s->p;
  const dtw_plan *g = s->g;
  const idx d = g->width, L = g->lanes;
  s->x = calloc((size_t)((p->n + g->strip) * d), sizeof(REAL));
  s->y = calloc((size_t)(g->mb * g->stride * d), sizeof(REAL));
  double *row = malloc(4 * sizeof(double) * (size_t)p->d), *shift = row + p->d;
  if (!s->x || !s->y || !row) { free(row); return DTW_NO_MEMORY; }
  double scale = sqrt(0.5);   // half the squared distance
  if (p->metric != DTW_COS) scale = shift_and_scale(p, shift, row);
  else memset(shift, 0, sizeof(double) * (size_t)p->d);
  s->cost_scale = p->metric == DTW_COS ? 1 : p->metric == DTW_SQL2 ? scale * scale : scale;
  s->upper = p->upper * s->cost_scale * (1 + (sizeof(REAL) == 4 ? 1e-5 : 1e-10));
  for (idx i = 0; i < p->n; i++) {
    const idx q = i % g->strip;
    REAL *to = s->x + (i - q) * d + q / L * L + L - 1 - q % L;
    const int zero = dtw_row(p, 0, i, row);
    for (int f = 0; f < p->d; f++) to[f * g->strip] = (REAL)((row[f] - shift[f]) * scale);
    if (zero) to[p->d * g->strip] = (REAL)scale;
  }
  for (idx j = 0; j < p->m; j++) {
    REAL *to = s->y + j / g->kc * g->stride * d + DTW_PAD + j % g->kc;
    const int zero = dtw_row(p, 1, j, row);
    for (int f = 0; f < p->d; f++) to[f * g->stride] = (REAL)((row[f] - shift[f]) * scale);
    if (zero) to[p->d * g->stride] = (REAL)scale;
  }
  free(row);
  return DTW_OK;
}
