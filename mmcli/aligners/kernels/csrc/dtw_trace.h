// Back from the last cell. One region between kept borders is swept again with the borders of all its tiles, as far as the path can
// be; each tile on the path runs once more with directions.

typedef struct { lines_t row, col, irow, icol; } region_t;

static void region_free(region_t *q) { lines_free(&q->row); lines_free(&q->col); lines_free(&q->irow); lines_free(&q->icol); }

// Sweeps the tiles [b0, b1) x [c0, c1) that begin at kept borders gi and gj. Sets the corner of the first one.
static int region_make(const run_t *s, region_t *q, const lines_t *krow, const lines_t *kcol, corner_t origin, idx gi, idx gj, idx b1, idx c1,
                       corner_t *corner) {
  const idx b0 = gi * s->g->gr, c0 = gj * s->g->gc, row_seg = s->hr * s->g->kc, col_seg = s->hc * s->g->kr;
  memset(q, 0, sizeof *q);
  if (lines_dense(&q->row, 1, c1 - c0, c0, row_seg) || lines_dense(&q->col, 1, b1 - b0, b0, col_seg) ||
      lines_dense(&q->irow, b1 - b0, c1 - c0, c0, row_seg) || lines_dense(&q->icol, c1 - c0, b1 - b0, b0, col_seg)) return DTW_NO_MEMORY;
  for (idx c = c0; c < c1; c++) lines_put(&q->row, 0, c, lines_get(krow, gi, c));
  for (idx b = b0; b < b1; b++) lines_put(&q->col, 0, b, lines_get(kcol, gj, b));
  *corner = c0 ? row_corner(s, krow, gi, c0 - 1) : b0 ? col_corner(s, kcol, gj, b0 - 1) : origin;
  sweep_t w = {.b0 = b0, .b1 = b1, .c0 = c0, .c1 = c1, .row = &q->row, .col = &q->col, .corner = *corner, .gr = 1, .gc = 1,
               .krow = &q->irow, .kcol = &q->icol};
  return wave(s, &w);
}

// The cell before (i, j), from the directions of a tile that starts at (i0, j0) and has `words` of them a strip.
static void step_back(const run_t *s, const WORD *dir, idx words, idx i0, idx j0, idx *i, idx *j) {
  const idx strip = s->g->strip, L = s->g->lanes, steps = 4 * sizeof(WORD), q = (*i - i0) % strip, t = *j - j0 + q;
  const idx lane = q / L * L + L - 1 - q % L;
  const WORD bits = dir[(*i - i0) / strip * words + t / steps * strip + lane] >> (2 * (t % steps)) & 3;
  const int deep = s->hc > 1;
  if (bits & 1) { --*i; --*j; }
  else if (bits & 2) {   // down: (i-1, j), or (i-2, j-1)
    *i -= s->hr;
    if (s->hr > 1) --*j;
  } else {               // across: (i, j-1), or (i-1, j-2)
    *j -= s->hc;
    if (deep) --*i;
  }
}

// Walks from (i, j) to where a path may begin. Writes it backwards, then turns it round.
static int trace(run_t *s, const lines_t *krow, const lines_t *kcol, corner_t origin, idx i, idx j, int64_t *path, idx *length) {
  const dtw_problem *p = s->p;
  const dtw_plan *g = s->g;
  const idx region_rows = g->gr * g->kr, region_cols = g->gc * g->kc;
  const size_t steps = 4 * sizeof(WORD), words_most = (size_t)(g->kr / g->strip) * ((size_t)(g->kc + 2 * g->strip) / steps + 2) * (size_t)g->strip;
  WORD *dir = malloc(sizeof(WORD) * words_most);
  scratch_t scratch = {0};
  region_t q = {0};
  idx len = 0;
  int code = dir && !scratch_new(&scratch, s) ? DTW_OK : DTW_NO_MEMORY, done = 0;
  while (!done && !code) {
    const idx gi = i / region_rows, gj = j / region_cols;
    corner_t origin_here;
    if ((code = region_make(s, &q, krow, kcol, origin, gi, gj, i / g->kr + 1, j / g->kc + 1, &origin_here))) break;
    while (!done && !code && i >= gi * region_rows && j >= gj * region_cols) {
      const idx bi = i / g->kr, bj = j / g->kc, r = bi - gi * g->gr, c = bj - gj * g->gc, i0 = bi * g->kr, j0 = bj * g->kc;
      const corner_t corner = c ? row_corner(s, &q.irow, r, bj - 1) : r ? col_corner(s, &q.icol, 0, bi - 1) : origin_here;
      const idx ncols = j - j0 + 1, words = (ncols + g->strip - 1 + (idx)steps - 1) / (idx)steps * g->strip;
      const double base = run_tile(s, &scratch, bi, bj, lines_get(&q.irow, r, bj), lines_get(&q.icol, c, bi), corner, i - i0 + 1, ncols, dir);
      if (base == INFINITY) { code = DTW_LOST; break; }
      while (i >= i0 && j >= j0) {
        path[2 * len] = i; path[2 * len + 1] = j; len++;
        if ((i == 0 && (j == 0 || p->y_begin)) || (j == 0 && p->x_begin)) { done = 1; break; }
        step_back(s, dir, words, i0, j0, &i, &j);
      }
      if (i < 0 || j < 0) code = DTW_LOST;
      if (s->opt->poll && s->opt->poll(s->opt->poll_arg)) code = DTW_STOPPED;
    }
    region_free(&q);
  }
  region_free(&q);
  scratch_free(&scratch);
  free(dir);
  for (idx a = 0, b = len - 1; a < b; a++, b--)
    for (int k = 0; k < 2; k++) { const int64_t v = path[2 * a + k]; path[2 * a + k] = path[2 * b + k]; path[2 * b + k] = v; }
  *length = len;
  return code;
}
