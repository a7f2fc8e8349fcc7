// Borders: lines of cells between tiles, kept in segments of one tile's length, each relative to a float64 base of its own. A
// segment with an infinite base is dead: nothing there can be reached, and its values are never looked at. A line holds only a
// range of segments; those outside are dead too.
typedef struct {
  REAL *v;
  double *base;
  idx *first, *start;    // of line k: its first segment, and where it lies (in segments); start[count]: how many there are
  idx count, seg;        // seg: values of a segment (twice the length where the pattern looks two cells back)
} lines_t;

static void lines_free(lines_t *l) { free(l->v); free(l->base); free(l->first); memset(l, 0, sizeof *l); }

static int lines_new(lines_t *l, idx count, idx seg) {
  l->count = count; l->seg = seg;
  l->first = calloc((size_t)(2 * count + 1), sizeof(idx));
  l->start = l->first + count;
  return l->first ? DTW_OK : DTW_NO_MEMORY;
}
// Lines must be given in order.
static void lines_range(lines_t *l, idx k, idx first, idx segments) {
  l->first[k] = first;
  l->start[k + 1] = l->start[k] + (segments > 0 ? segments : 0);
}
static int lines_alloc(lines_t *l) {
  const idx total = l->start[l->count];
  l->v = malloc(sizeof(REAL) * (size_t)RUN_MAX(total * l->seg, 1));
  l->base = malloc(sizeof(double) * (size_t)RUN_MAX(total, 1));
  if (!l->v || !l->base) return DTW_NO_MEMORY;
  for (idx s = 0; s < total; s++) l->base[s] = INFINITY;
  return DTW_OK;
}
static int lines_dense(lines_t *l, idx count, idx segments, idx first, idx seg) {
  if (lines_new(l, count, seg)) return DTW_NO_MEMORY;
  for (idx k = 0; k < count; k++) lines_range(l, k, first, segments);
  return lines_alloc(l);
}
// Segment s of line k, or -1 where the line does not hold it.
static idx lines_at(const lines_t *l, idx k, idx s) {
  const idx at = s - l->first[k];
  return at >= 0 && at < l->start[k + 1] - l->start[k] ? l->start[k] + at : -1;
}

typedef struct { const REAL *v; double base; } border_t;   // one segment
static const border_t dead = {NULL, INFINITY};
static border_t lines_get(const lines_t *l, idx k, idx s) {
  const idx at = lines_at(l, k, s);
  return at < 0 || l->base[at] == INFINITY ? dead : (border_t){l->v + at * l->seg, l->base[at]};
}
static void lines_put(lines_t *l, idx k, idx s, border_t b) {
  const idx at = lines_at(l, k, s);
  if (at < 0) return;
  l->base[at] = b.base;
  if (b.base != INFINITY) memcpy(l->v + at * l->seg, b.v, sizeof(REAL) * (size_t)l->seg);
}

// The cells (-1, -1), (-1, -2) and (-2, -1) seen from the first cell of a tile.
typedef struct { double near, left, up; } corner_t;
static const corner_t no_corner = {INFINITY, INFINITY, INFINITY};

// The corner of the tile after a full segment of the row above, or below a full segment of the column to the left.
static corner_t corner_of(border_t b, idx length, int rows_deep, int cols_deep, int is_row) {
  if (b.base == INFINITY) return no_corner;
  const double near = b.base + b.v[length - 1];
  const double before = (is_row ? cols_deep : rows_deep) ? b.base + b.v[length - 2] : INFINITY;
  const double beside = (is_row ? rows_deep : cols_deep) ? b.base + b.v[2 * length - 1] : INFINITY;
  return is_row ? (corner_t){near, before, beside} : (corner_t){near, beside, before};
}
