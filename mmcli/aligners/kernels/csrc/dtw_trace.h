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

typedef struct { idx i, j, length; int64_t *path; int done; } walk_t;   // where the walk is; pairs written so far, last one first

// Walks inside the tile that starts at (i0, j0), whose directions were noted for ncols columns.
static void walk_tile(const run_t *s, walk_t *w, const WORD *dir, idx i0, idx j0, idx ncols) {
  const dtw_problem *p = s->p;
  const idx steps = 4 * sizeof(WORD), words = (ncols + s->g->strip - 1 + steps - 1) / steps * s->g->strip;
  while (w->i >= i0 && w->j >= j0) {
    int64_t *to = w->path + 2 * w->length++;
    to[0] = w->i; to[1] = w->j;
    w->done = (w->i == 0 && (w->j == 0 || p->y_begin)) || (w->j == 0 && p->x_begin);
    if (w->done) return;
    step_back(s, dir, words, i0, j0, &w->i, &w->j);
  }
}

// With the directions of all tiles at hand.
static int trace_kept(const run_t *s, walk_t *w, const WORD *dirs) {
  const dtw_plan *g = s->g;
  while (!w->done) {
    if (w->i < 0 || w->j < 0) return DTW_LOST;
    const idx bi = w->i / g->kr, bj = w->j / g->kc;
    walk_tile(s, w, dirs + (size_t)(bi * g->mb + bj) * g->tile_words, bi * g->kr, bj * g->kc, RUN_MIN(g->kc, s->p->m - bj * g->kc));
  }
  return DTW_OK;
}

// With borders kept every gr tile rows and gc tile columns.
static int trace_again(const run_t *s, walk_t *w, const lines_t *krow, const lines_t *kcol, corner_t origin) {
  const dtw_plan *g = s->g;
  const idx region_rows = g->gr * g->kr, region_cols = g->gc * g->kc, steps = 4 * sizeof(WORD);
  WORD *dir = malloc(sizeof(WORD) * (size_t)(g->kr * ((g->kc + g->strip - 1 + steps - 1) / steps)));
  scratch_t scratch = {0};
  region_t q = {0};
  int code = dir && !scratch_new(&scratch, s) ? DTW_OK : DTW_NO_MEMORY;
  while (!w->done && !code) {
    const idx gi = w->i / region_rows, gj = w->j / region_cols;
    corner_t first;
    if ((code = region_make(s, &q, krow, kcol, origin, gi, gj, w->i / g->kr + 1, w->j / g->kc + 1, &first))) break;
    while (!w->done && !code && w->i >= gi * region_rows && w->j >= gj * region_cols) {
      const idx bi = w->i / g->kr, bj = w->j / g->kc, r = bi - gi * g->gr, c = bj - gj * g->gc, i0 = bi * g->kr, j0 = bj * g->kc;
      const idx nrows = w->i - i0 + 1, ncols = w->j - j0 + 1;
      const corner_t corner = c ? row_corner(s, &q.irow, r, bj - 1) : r ? col_corner(s, &q.icol, 0, bi - 1) : first;
      const double base = run_tile(s, &scratch, bi, bj, lines_get(&q.irow, r, bj), lines_get(&q.icol, c, bi), corner, nrows, ncols, dir);
      if (base == INFINITY) { code = DTW_LOST; break; }
      walk_tile(s, w, dir, i0, j0, ncols);
      if (w->i < 0 || w->j < 0) code = DTW_LOST;
      if (s->opt->poll && s->opt->poll(s->opt->poll_arg)) code = DTW_STOPPED;
    }
    region_free(&q);
  }
  region_free(&q);
  scratch_free(&scratch);
  free(dir);
  return code;
}

static void turn_round(int64_t *path, idx length) {
  for (idx a = 0, b = length - 1; a < b; a++, b--)
    for (int k = 0; k < 2; k++) { const int64_t v = path[2 * a + k]; path[2 * a + k] = path[2 * b + k]; path[2 * b + k] = v; }
}
