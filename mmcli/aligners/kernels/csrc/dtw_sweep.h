// The sweep: tile rows from the top, tiles from the left, with one running row border (in place) and one left border a tile row.

typedef struct {   // one thread's workspace
  REAL *top, *top2, *left, *left2, *memory;   // a tile's borders on entry and exit
  REAL *keep;                                 // the left border of the next tile
  int32_t *lim;
} scratch_t;

static int scratch_new(scratch_t *c, const run_t *s) {
  const size_t wide = (size_t)(s->g->kc + 2 * DTW_PAD), high = (size_t)(s->g->kr + 2 * DTW_PAD);
  c->memory = calloc(2 * wide + 2 * high + 2 * (size_t)s->g->kr, sizeof(REAL));
  c->lim = malloc(sizeof(int32_t) * 2 * (size_t)s->g->kr);
  if (!c->memory || !c->lim) return DTW_NO_MEMORY;
  c->top = c->memory + DTW_PAD; c->top2 = c->top + wide;
  c->left = c->memory + 2 * wide; c->left2 = c->left + high;
  c->keep = c->memory + 2 * wide + 2 * high;
  return DTW_OK;
}
static void scratch_free(scratch_t *c) { free(c->memory); free(c->lim); }

// Columns that each row of a tile may use, counted from the tile. 0: all of them, and no other reason to limit rows.
static int limits(const run_t *s, scratch_t *c, idx bi, idx bj, idx nr, idx nc, idx nstrips) {
  const idx i0 = bi * s->g->kr, j0 = bj * s->g->kc;
  int any = s->p->y_end && bi == s->g->nb - 1 && nr % s->g->strip;   // the last row must come out at the bottom
  for (idx r = 0; r < nr; r++) {
    idx lo = 0, hi = nc;
    if (s->p->corridor) {
      lo = (idx)s->p->corridor[2 * (i0 + r)] - j0;
      hi = (idx)s->p->corridor[2 * (i0 + r) + 1] - j0;
      lo = RUN_MIN(RUN_MAX(lo, 0), nc);
      hi = RUN_MIN(RUN_MAX(hi, lo), nc);
      any |= lo > 0 || hi < nc;
    }
    c->lim[2 * r] = (int32_t)lo;
    c->lim[2 * r + 1] = (int32_t)hi;
  }
  for (idx r = nr; r < nstrips * s->g->strip; r++) c->lim[2 * r] = c->lim[2 * r + 1] = 0;
  return any;
}

static double least(const REAL *v, idx n) {
  REAL m = INFINITY;
  for (idx i = 0; i < n; i++) m = v[i] < m ? v[i] : m;
  return (double)m;
}
static void enter(REAL *to, const REAL *v, double by, idx n) {   // v NULL: a dead border
  if (v) for (idx i = 0; i < n; i++) to[i] = (REAL)(v[i] + by);
  else for (idx i = 0; i < n; i++) to[i] = INFINITY;
}

// Runs nr rows and nc columns of tile (bi, bj); the borders given stay as they are, the results are in `c`. Returns their base,
// infinite where the tile was not run because nothing in it can be reached, or only at more than the upper bound.
static double run_tile(const run_t *s, scratch_t *c, idx bi, idx bj, border_t top, border_t left, corner_t corner, idx nr, idx nc,
                       WORD *dir) {
  const dtw_plan *g = s->g;
  const idx nstrips = (nr + g->strip - 1) / g->strip;
  double base = RUN_MIN(corner.near, RUN_MIN(corner.left, corner.up));
  for (int q = 0; q < s->hr && top.v; q++) base = RUN_MIN(base, top.base + least(top.v + q * g->kc, nc));
  for (int q = 0; q < s->hc && left.v; q++) base = RUN_MIN(base, left.base + least(left.v + q * g->kr, nr));
  const double rest = s->p->rest ? s->p->rest[bi * g->kr + nr - 1] * s->cost_scale : 0;
  if (base == INFINITY || (!dir && base + rest > s->upper)) return INFINITY;   // walking back, a part of a tile may look dearer
  REAL *t[2] = {c->top, c->top2}, *l[2] = {c->left, c->left2};
  for (int q = 0; q < s->hr; q++) enter(t[q], top.v ? top.v + q * g->kc : NULL, top.base - base, nc);
  for (int q = 0; q < s->hc; q++) {
    enter(l[q], left.v ? left.v + q * g->kr : NULL, left.base - base, nr);
    for (idx r = nr; r < nstrips * g->strip; r++) l[q][r] = INFINITY;
  }
  c->top[-1] = (REAL)(corner.near - base);
  c->top[-2] = (REAL)(corner.left - base);
  c->top2[-1] = (REAL)(corner.up - base);
  const int limited = limits(s, c, bi, bj, nr, nc, nstrips);
  const TILE a = {.x = s->x + bi * g->kr * g->width, .panel = s->y + bj * g->stride * g->width + DTW_PAD, .stride = g->stride,
                  .nstrips = nstrips, .nrows = nr, .ncols = nc, .d = g->width, .metric = s->p->metric, .pattern = s->p->pattern,
                  .top = c->top, .top2 = c->top2, .left = c->left, .left2 = c->left2, .dir = dir, .lim = limited ? c->lim : NULL};
  g->kernel->FIELD->tile(&a);
  return base;
}

typedef struct {
  idx b0, b1, c0, c1;          // tiles [b0, b1) x [c0, c1)
  lines_t *row, *col;          // running row border; left border, one segment a tile row counted from row 0 of the matrix
  corner_t corner;             // of the first tile
  idx gr, gc;
  lines_t *krow, *kcol, *end;  // kept every gr tile rows and gc tile columns; right border of the matrix. NULL: not wanted
  int complete;                // 0: only borders are wanted, so the last tile is not run
  double last;                 // the value of the last cell
  WORD *dirs;                  // directions of all tiles, or NULL
  // several threads, see dtw_wave.h
  idx next_row, *done;         // done[r]: tile columns below it are final in tile row r
  double most;                 // gives up after so many cells; 0: never. As many are run in any order, so threads agree on it
  idx cells;
  double *low;                 // the least value on the border below each tile row; or NULL
  int code;
  const run_t *run;
} sweep_t;

static int wait_for(sweep_t *w, idx r, idx column, int is_main);
static void report(sweep_t *w, idx r, idx column);
static int stopped(sweep_t *w, int is_main);

static corner_t row_corner(const run_t *s, const lines_t *l, idx k, idx seg) {
  return corner_of(lines_get(l, k, seg), s->g->kc, s->hr > 1, s->hc > 1, 1);
}
static corner_t col_corner(const run_t *s, const lines_t *l, idx k, idx seg) {
  return corner_of(lines_get(l, k, seg), s->g->kr, s->hr > 1, s->hc > 1, 0);
}
static double border_least(const run_t *s, border_t b, idx nc) {   // of a row border, both rows where it has two
  double m = INFINITY;
  for (int q = 0; q < s->hr && b.v; q++) m = RUN_MIN(m, b.base + least(b.v + q * s->g->kc, nc));
  return m;
}
static void bury(lines_t *l, idx from, idx to) {
  for (idx c = from; c < to; c++) l->base[lines_at(l, 0, c)] = INFINITY;
}

// Tile row r of the sweep. Segments of the running row border outside the row's tiles are dead below it.
static int sweep_row(sweep_t *w, scratch_t *s, idx r, int is_main) {
  const run_t *run = w->run;
  const dtw_plan *g = run->g;
  const idx bi = w->b0 + r, nr = RUN_MIN(g->kr, run->p->n - bi * g->kr);
  idx c0 = RUN_MIN(RUN_MAX(w->c0, g->c0[bi]), w->c1), c1 = RUN_MAX(RUN_MIN(w->c1, g->c1[bi]), c0);
  lines_t *row = w->row;
  lines_t *krow = w->krow && r % w->gr == 0 ? w->krow : NULL, *kcol = w->kcol;
  border_t left = c0 == w->c0 ? lines_get(w->col, 0, bi) : dead;
  double low = INFINITY;
  int code = DTW_OK;
  if (r && (code = wait_for(w, r - 1, c0, is_main))) return code;
  corner_t corner = c0 > w->c0 ? row_corner(run, row, 0, c0 - 1) : r ? col_corner(run, w->col, 0, bi - 1) : w->corner;
  if (krow && c0 > w->c0) lines_put(krow, r / w->gr, c0 - 1, lines_get(row, 0, c0 - 1));
  bury(row, w->c0, c0);
  for (idx bj = c0; bj < c1; bj++) {
    if (r && (code = wait_for(w, r - 1, bj + 1, is_main))) return code;
    const idx nc = RUN_MIN(g->kc, run->p->m - bj * g->kc), at = lines_at(row, 0, bj);
    const border_t top = lines_get(row, 0, bj);
    if (krow) lines_put(krow, r / w->gr, bj, top);
    if (kcol && (bj - w->c0) % w->gc == 0) lines_put(kcol, (bj - w->c0) / w->gc, bi, left);
    if (!w->complete && bi + 1 == w->b1 && bj + 1 == w->c1) break;
    const corner_t next = row_corner(run, row, 0, bj);
    WORD *dir = w->dirs ? w->dirs + (size_t)(bi * g->mb + bj) * g->tile_words : NULL;
    const double base = run_tile(run, s, bi, bj, top, left, corner, nr, nc, dir);
    if (base != INFINITY) {
      memcpy(row->v + at * row->seg, s->top, sizeof(REAL) * (size_t)nc);
      if (run->hr > 1) memcpy(row->v + at * row->seg + g->kc, s->top2, sizeof(REAL) * (size_t)nc);
      memcpy(s->keep, s->left, sizeof(REAL) * (size_t)g->kr);
      if (run->hc > 1) memcpy(s->keep + g->kr, s->left2, sizeof(REAL) * (size_t)g->kr);
    }
    if (w->most > 0 && base != INFINITY && (double)__atomic_add_fetch(&w->cells, nr * nc, __ATOMIC_RELAXED) > w->most) return DTW_GAVE_UP;
    row->base[at] = base;
    if (w->low) low = RUN_MIN(low, border_least(run, lines_get(row, 0, bj), nc));
    left = base == INFINITY ? dead : (border_t){s->keep, base};
    corner = next;
    report(w, r, bj + 1);
    if ((code = stopped(w, is_main))) return code;
  }
  if (w->low) w->low[bi] = low;
  if (kcol && c1 < w->c1 && (c1 - w->c0) % w->gc == 0) lines_put(kcol, (c1 - w->c0) / w->gc, bi, left);
  if (w->end && c1 == w->c1) lines_put(w->end, 0, bi, left);
  if (bi + 1 == w->b1) w->last = c1 == w->c1 && left.v ? left.base + left.v[nr - 1] : INFINITY;
  if (r && (code = wait_for(w, r - 1, w->c1, is_main))) return code;
  bury(row, c1, w->c1);
  report(w, r, w->c1);
  return code;
}

// The borders outside the matrix from which a path may start. Patterns that look two columns back start from (-1, -2), so that no
// longer step reaches a later cell from there; symmetric2 takes back what the diagonal counts twice. An open begin starts from a
// whole row or column; walking back stops at the first cell of the matrix that has one beside it.
static void virtual_borders(const run_t *s, lines_t *row, lines_t *col, double first_cost, corner_t *corner) {
  const dtw_problem *p = s->p;
  const idx kc = s->g->kc, kr = s->g->kr;
  const int deep = s->hc > 1, deeper = s->hr > 1;
  *corner = no_corner;
  if (deep) corner->left = 0;
  else corner->near = p->pattern == DTW_SYMMETRIC2 ? -first_cost : 0;
  if (p->y_begin)
    for (idx c = 0; c < s->g->mb; c++) {
      REAL *v = row->v + c * row->seg;
      row->base[c] = 0;
      for (idx q = 0; q < row->seg; q++) v[q] = INFINITY;
      for (idx q = 0; q < kc; q++) v[deeper ? kc + q : q] = 0;   // two rows up where a row may be passed over
    }
  if (p->y_begin && deeper) corner->up = 0;
  if (p->x_begin)
    for (idx b = 0; b < s->g->nb; b++) {
      REAL *v = col->v + b * col->seg;
      col->base[b] = 0;
      for (idx q = 0; q < col->seg; q++) v[q] = INFINITY;
      for (idx q = 0; q < kr; q++) v[deep ? kr + q : q] = 0;
    }
}

// The cheapest cell of the open ends: the last row in ascending order (or its last cell, worth `best`), then the last column,
// strictly cheaper ones only.
static double open_end(const run_t *s, const lines_t *row, const lines_t *end, double best, idx *i, idx *j) {
  const dtw_problem *p = s->p;
  if (p->y_end) best = INFINITY;
  for (idx c = 0; p->y_end && c < s->g->mb; c++) {
    const border_t b = lines_get(row, 0, c);
    if (b.base == INFINITY) continue;
    for (idx q = 0; q < RUN_MIN(s->g->kc, p->m - c * s->g->kc); q++)
      if (b.base + b.v[q] < best) { best = b.base + b.v[q]; *i = p->n - 1; *j = c * s->g->kc + q; }
  }
  for (idx b0 = 0; p->x_end && b0 < s->g->nb; b0++) {
    const border_t b = lines_get(end, 0, b0);
    if (b.base == INFINITY) continue;
    for (idx q = 0; q < RUN_MIN(s->g->kr, p->n - b0 * s->g->kr); q++)
      if (b.base + b.v[q] < best) { best = b.base + b.v[q]; *i = b0 * s->g->kr + q; *j = p->m - 1; }
  }
  return best;
}
