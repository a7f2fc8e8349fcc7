// The layers of one pair, a group of items at a time so that all of it stays in cache. Included once per instruction set by a translation
// unit that defines KERNEL (symbol), KERNEL_NAME, LANES and WIDE (vectors of a tile) and has switched the compiler to that set.
//
// Arrays of a group are (features, columns), a step a lane: the products need no other order. Columns past the last item hold finite
// numbers, and gradients of zero.
#include "cross_attend.h"

// Items of a group, from and to (steps, width).
static void spread(const float *from, float *to, idx width, idx here, idx columns) {
  for (idx r = 0; r < width; r++) {
    for (idx c = 0; c < here; c++) to[r * columns + c] = from[c * width + r];
    for (idx c = here; c < columns; c++) to[r * columns + c] = 0.0f;
  }
}
static void collect(const float *from, float *to, idx width, idx here, idx columns) {
  for (idx c = 0; c < here; c++)
    for (idx r = 0; r < width; r++) to[c * width + r] = from[r * columns + c];
}

INLINE void norm_strip(int nv, const float *x, float *y, float *rstd, idx width, idx columns) {
  vf mean[WIDE], square[WIDE];
  UNROLLED for (int v = 0; v < nv; v++) mean[v] = square[v] = (vf){0};
  for (idx r = 0; r < width; r++) UNROLLED for (int v = 0; v < nv; v++) mean[v] += v_load(x + r * columns + v * LANES);
  UNROLLED for (int v = 0; v < nv; v++) mean[v] /= v_splat((float)width);
  for (idx r = 0; r < width; r++) UNROLLED for (int v = 0; v < nv; v++) {
    const vf e = v_load(x + r * columns + v * LANES) - mean[v];
    square[v] += e * e;
  }
  UNROLLED for (int v = 0; v < nv; v++) {
    square[v] = 1.0f / v_sqrt(square[v] / v_splat((float)width) + 1e-5f);
    v_store(rstd + v * LANES, square[v]);
  }
  for (idx r = 0; r < width; r++) UNROLLED for (int v = 0; v < nv; v++)
    v_store(y + r * columns + v * LANES, (v_load(x + r * columns + v * LANES) - mean[v]) * square[v]);
}

// Each column to mean zero and variance one.
static void norm(const float *x, float *y, float *rstd, idx width, idx columns) {
#define DO(NV, C) norm_strip(NV, x + (C), y + (C), rstd + (C), width, columns)
  STRIPS(columns, DO);
#undef DO
}

INLINE void norm_back_strip(int nv, float *d, const float *d_y, const float *y, const float *rstd, idx width, idx columns) {
  vf mean[WIDE], along[WIDE];
  UNROLLED for (int v = 0; v < nv; v++) mean[v] = along[v] = (vf){0};
  for (idx r = 0; r < width; r++) UNROLLED for (int v = 0; v < nv; v++) {
    const vf g = v_load(d_y + r * columns + v * LANES);
    mean[v] += g;
    along[v] += g * v_load(y + r * columns + v * LANES);
  }
  UNROLLED for (int v = 0; v < nv; v++) { mean[v] /= v_splat((float)width); along[v] /= v_splat((float)width); }
  for (idx r = 0; r < width; r++) UNROLLED for (int v = 0; v < nv; v++) {
    const idx at = r * columns + v * LANES;
    v_store(d + at, v_load(d + at) + (v_load(d_y + at) - mean[v] - v_load(y + at) * along[v]) * v_load(rstd + v * LANES));
  }
}

// d += the gradient of the norm's input; d_y is its output's.
static void norm_back(float *d, const float *d_y, const float *y, const float *rstd, idx width, idx columns) {
#define DO(NV, C) norm_back_strip(NV, d + (C), d_y + (C), y + (C), rstd + (C), width, columns)
  STRIPS(columns, DO);
#undef DO
}

// to = map of from.
static void apply(const group *g, const float *map, idx inputs, idx outputs, const float *from, float *to, int add, int relu) {
  multiply((product){.rows = outputs, .columns = g->columns, .depth = inputs, .a = map, .down = 1, .along = outputs, .b = from,
                     .b_row = g->columns, .c = to, .c_row = g->columns, .bias = map + inputs * outputs, .add = add, .relu = relu});
}
// to = gradient of the map's input, zero where gate is not positive.
static void apply_back(const group *g, const float *map, idx inputs, idx outputs, const float *d, float *to, int add, const float *gate) {
  multiply((product){.rows = inputs, .columns = g->columns, .depth = outputs, .a = map, .down = outputs, .along = 1, .b = d,
                     .b_row = g->columns, .c = to, .c_row = g->columns, .gate = gate, .add = add});
}
// sums (rows, beside) += a times the transpose b (columns, beside).
static void outer(const group *g, idx rows, const float *a, const float *b, idx beside, float *sums) {
  multiply((product){.rows = rows, .columns = beside, .depth = g->columns, .a = a, .down = g->columns, .along = 1, .b = b,
                     .b_row = beside, .c = sums, .c_row = beside, .add = 1});
}

// to = from times the factors of dropout.
static void drop(const group *g, idx path, const float *from, float *to) {
  const idx t = g->j->shape.steps, w = g->j->shape.width;
  for (idx i = 0; i < g->items; i++) {
    const float *f = g->j->noise + path * g->j->noise_path + (g->first + i) * g->j->noise_item;
    for (idx r = 0; r < w; r++)
      for (idx c = 0; c < t; c++) to[r * g->columns + i * t + c] = from[r * g->columns + i * t + c] * f[r * t + c];
  }
  for (idx r = 0; r < w; r++)
    for (idx c = g->here; c < g->columns; c++) to[r * g->columns + c] = 0.0f;
}

// x += map of from, through dropout.
static void add(const group *g, idx path, const float *map, idx inputs, const float *from, float *x, float *spare) {
  const idx w = g->j->shape.width;
  if (!g->j->noise) { apply(g, map, inputs, w, from, x, 1, 0); return; }
  apply(g, map, inputs, w, from, spare, 0, 0);
  drop(g, path, spare, spare);
  for (idx c = 0; c < w * g->columns; c++) x[c] += spare[c];
}

static void forward(const cross_job *j) {
  const cross_shape *s = &j->shape;
  const idx w = s->width, most = cross_columns(s, LANES);
  float *x = j->work, *q = x + w * most, *kv = q + w * most, *hidden = kv + 2 * w * most;
  float *work = hidden + s->wide * most;
  for (idx b = 0; b < cross_groups(s); b++) {
    const group g = group_of(j, b);
    const idx at = g.first * s->steps * w;
    spread(j->x + at, x, w, g.here, g.columns);
    float *source = source_of(&g, b);
    spread(j->source + at, source, w, g.here, g.columns);
    for (idx layer = 0; layer < s->layers; layer++) {
      const maps m = maps_of(s, j->maps + layer * cross_maps(s));
      const keeps kept = kept_of(&g, b, layer);
      norm(x, kept.first, kept.rstd1, w, g.columns);
      apply(&g, m.query, w, w, kept.first, q, 0, 0);
      apply(&g, m.sources, w, 2 * w, source, kv, 0, 0);
      attend(&g, q, kv, &kept, work);
      add(&g, 2 * layer, m.out, w, kept.flat, x, q);
      norm(x, kept.second, kept.rstd2, w, g.columns);
      apply(&g, m.wide, w, s->wide, kept.second, hidden, 0, 1);
      add(&g, 2 * layer + 1, m.narrow, s->wide, hidden, x, q);
    }
    collect(x, j->end + at, w, g.here, g.columns);
  }
}

// A map's gradient from the sums (outputs, beside).
static void turn(const float *sums, idx inputs, idx outputs, idx beside, float *to) {
  for (idx i = 0; i <= inputs; i++)
    for (idx o = 0; o < outputs; o++) to[i * outputs + o] = sums[o * beside + i];
}

static void backward(const cross_job *j) {
  const cross_shape *s = &j->shape;
  const idx w = s->width, wide = s->wide, most = cross_columns(s, LANES), row = w * most, groups = cross_groups(s);
  const idx beside = cross_padded(w + 1, LANES);
  float *d_all = j->work, *d_sources = d_all + groups * row, *q = d_sources + groups * row, *kv = q + row;
  float *d_q = kv + 2 * row, *d_kv = d_q + row, *d_y = d_kv + 2 * row, *dropped = d_y + row, *hidden = dropped + row;
  float *d_hidden = hidden + wide * most, *across = d_hidden + wide * most, *sums = across + beside * most;
  float *s_query = sums, *s_sources = s_query + w * beside, *s_out = s_sources + 2 * w * beside, *s_wide = s_out + w * beside;
  float *s_narrow = s_wide + wide * beside, *work = s_narrow + (wide + 1) * beside;
  static const float one = 1.0f;
  memset(d_sources, 0, sizeof(float) * (size_t)(groups * row));
  for (idx b = 0; b < groups; b++) {
    const group g = group_of(j, b);
    spread(j->d_end + g.first * s->steps * w, d_all + b * row, w, g.here, g.columns);
  }
  for (idx layer = s->layers - 1; layer >= 0; layer--) {
    const maps m = maps_of(s, j->maps + layer * cross_maps(s));
    memset(sums, 0, sizeof(float) * (size_t)(work - sums));
    for (idx b = 0; b < groups; b++) {
      const group g = group_of(j, b);
      const idx c = g.columns;
      const keeps kept = kept_of(&g, b, layer);
      float *d = d_all + b * row;
      const float *dn = d;
      if (j->noise) { drop(&g, 2 * layer + 1, d, dropped); dn = dropped; }
      apply(&g, m.wide, w, wide, kept.second, hidden, 0, 1);
      transpose(dn, w, c, across, beside, 0);
      outer(&g, wide, hidden, across, beside, s_narrow);
      multiply((product){.rows = 1, .columns = beside, .depth = c, .a = &one, .b = across, .b_row = beside, .c = s_narrow + wide * beside,
                         .c_row = beside, .add = 1});
      apply_back(&g, m.narrow, wide, w, dn, d_hidden, 0, hidden);
      transpose(kept.second, w, c, across, beside, 1);
      outer(&g, wide, d_hidden, across, beside, s_wide);
      apply_back(&g, m.wide, w, wide, d_hidden, d_y, 0, NULL);
      norm_back(d, d_y, kept.second, kept.rstd2, w, c);

      if (j->noise) drop(&g, 2 * layer, d, dropped);
      transpose(kept.flat, w, c, across, beside, 1);
      outer(&g, w, dn, across, beside, s_out);
      apply_back(&g, m.out, w, w, dn, d_y, 0, NULL);
      const float *source = source_of(&g, b);
      apply(&g, m.query, w, w, kept.first, q, 0, 0);
      apply(&g, m.sources, w, 2 * w, source, kv, 0, 0);
      attend_back(&g, q, kv, &kept, d_y, d_q, d_kv, work);
      transpose(source, w, c, across, beside, 1);
      outer(&g, 2 * w, d_kv, across, beside, s_sources);
      apply_back(&g, m.sources, w, 2 * w, d_kv, d_sources + b * row, 1, NULL);
      transpose(kept.first, w, c, across, beside, 1);
      outer(&g, w, d_q, across, beside, s_query);
      apply_back(&g, m.query, w, w, d_q, d_y, 0, NULL);
      norm_back(d, d_y, kept.first, kept.rstd1, w, c);
    }
    float *to = j->d_maps + layer * cross_maps(s);
    const maps at = maps_of(s, to);
    turn(s_query, w, w, beside, to);
    turn(s_sources, w, 2 * w, beside, to + (at.sources - to));
    turn(s_out, w, w, beside, to + (at.out - to));
    turn(s_wide, w, wide, beside, to + (at.wide - to));
    for (idx i = 0; i <= wide; i++) memcpy(to + (at.narrow - to) + i * w, s_narrow + i * beside, sizeof(float) * (size_t)w);
  }
  for (idx b = 0; b < groups; b++) {
    const group g = group_of(j, b);
    const idx at = g.first * s->steps * w;
    collect(d_all + b * row, j->d_x + at, w, g.here, g.columns);
    collect(d_sources + b * row, j->d_source + at, w, g.here, g.columns);
  }
}

const cross_kernel KERNEL = {KERNEL_NAME, LANES, forward, backward};
