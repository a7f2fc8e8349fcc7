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

static int poll_rows(const run_t *s, idx i) { return s->opt->poll && i % 64 == 0 && s->opt->poll(s->opt->poll_arg); }

// Per feature what is subtracted, and the scale. `shift` has room for two more lines as long.
static int shift_and_scale(const run_t *s, double *shift, double *row, double *scale) {
  const dtw_problem *p = s->p;
  double *lo = shift + p->d, *hi = lo + p->d, largest = 0;
  for (int f = 0; f < p->d; f++) { shift[f] = 0; lo[f] = INFINITY; hi[f] = -INFINITY; }
  for (int side = 0; side < 2; side++)
    for (idx i = 0; i < (side ? p->m : p->n); i++) {
      if (poll_rows(s, i)) return DTW_STOPPED;
      dtw_row(p, side, i, row);
      for (int f = 0; f < p->d; f++) { lo[f] = RUN_MIN(lo[f], row[f]); hi[f] = RUN_MAX(hi[f], row[f]); }
    }
  dtw_row(p, 0, 0, row);
  for (int f = 0; f < p->d; f++) {
    if (fabs(lo[f] / 2 + hi[f] / 2) > 4 * (hi[f] - lo[f])) shift[f] = row[f];
    largest = RUN_MAX(largest, RUN_MAX(hi[f] - shift[f], shift[f] - lo[f]));
  }
  int exponent = 0;
  if (largest > 0) frexp(largest, &exponent);
  *scale = ldexp(1, -exponent);
  return DTW_OK;
}

// Row i of one side, its features `stride` apart.
static void pack_row(const run_t *s, int of_y, idx i, REAL *to, idx stride, const double *shift, double scale, double *row) {
  const int zero = dtw_row(s->p, of_y, i, row), d = s->p->d;
  for (int f = 0; f < d; f++) to[f * stride] = (REAL)((row[f] - shift[f]) * scale);
  if (zero) to[d * stride] = (REAL)scale;
}

static void unpack(run_t *s) { free(s->x); free(s->y); }

static int pack(run_t *s) {
  const dtw_problem *p = s->p;
  const dtw_plan *g = s->g;
  const idx d = g->width, L = g->lanes;
  s->x = calloc((size_t)((p->n + g->strip) * d), sizeof(REAL));
  s->y = calloc((size_t)(g->mb * g->stride * d), sizeof(REAL));
  double *row = calloc(4 * (size_t)p->d, sizeof(double)), *shift = row + p->d;
  int code = s->x && s->y && row ? DTW_OK : DTW_NO_MEMORY;
  double scale = sqrt(0.5);   // half the squared distance
  if (!code && p->metric != DTW_COS) code = shift_and_scale(s, shift, row, &scale);
  s->cost_scale = p->metric == DTW_COS ? 1 : p->metric == DTW_SQL2 ? scale * scale : scale;
  s->upper = p->upper * s->cost_scale * (1 + (sizeof(REAL) == 4 ? 1e-5 : 1e-10));
  for (idx i = 0; i < p->n && !code; i++) {
    const idx q = i % g->strip;
    pack_row(s, 0, i, s->x + (i - q) * d + q / L * L + L - 1 - q % L, g->strip, shift, scale, row);
    if (poll_rows(s, i)) code = DTW_STOPPED;
  }
  for (idx j = 0; j < p->m && !code; j++) {
    pack_row(s, 1, j, s->y + j / g->kc * g->stride * d + DTW_PAD + j % g->kc, g->stride, shift, scale, row);
    if (poll_rows(s, j)) code = DTW_STOPPED;
  }
  free(row);
  return code;
}
