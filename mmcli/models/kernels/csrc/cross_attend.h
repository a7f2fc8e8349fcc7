// A group of items at work, and attention and its gradients, one head of one item after another: their scores stay in the first-level cache.
// They are not kept for the backward pass: to compute them again takes less time than to fetch them.
#include "cross_vector.h"

// One group of items.
typedef struct {
  const cross_job *j;
  idx first, items, columns, here;       // here: steps of the items, without padding
  const uint8_t *seen;
} group;

static group group_of(const cross_job *j, idx g) {
  const cross_shape *s = &j->shape;
  const idx each = cross_group(s), first = g * each, items = s->items - first < each ? s->items - first : each;
  return (group){j, first, items, cross_padded(items * s->steps, LANES), items * s->steps, j->seen ? j->seen + first * s->steps : NULL};
}

// What the backward pass needs of one layer: both norms, what attention found, one over their deviations (columns), and for each head and
// query the largest score and one over the sum of exponentials.
typedef struct { float *first, *second, *flat, *rstd1, *rstd2, *largest, *inverse; } keeps;

static keeps kept_of(const group *g, idx index, idx layer) {
  const cross_shape *s = &g->j->shape;
  float *p = g->j->kept + (index * s->layers + layer) * cross_kept_one(s, LANES);
  const idx c = g->columns, w = s->width;
  return (keeps){p, p + w * c, p + 2 * w * c, p + 3 * w * c, p + (3 * w + 1) * c, p + (3 * w + 2) * c, p + (3 * w + 2 + s->heads) * c};
}

// The source's sequences, kept after all layers.
static float *source_of(const group *g, idx index) {
  const cross_shape *s = &g->j->shape;
  const idx groups = cross_groups(s);
  return g->j->kept + groups * s->layers * cross_kept_one(s, LANES) + index * s->width * cross_columns(s, LANES);
}

typedef struct { const float *query, *sources, *out, *wide, *narrow; } maps;

static maps maps_of(const cross_shape *s, const float *p) {
  const idx w = s->width, one = (w + 1) * w;
  return (maps){p, p + one, p + 3 * one, p + 4 * one, p + 4 * one + (w + 1) * s->wide};
}

// `rows` rows of one item, without their padding.
INLINE void put(const float *from, idx padded, float *to, idx rows, idx steps, idx stride) {
  for (idx r = 0; r < rows; r++, from += padded, to += stride) {
    idx c = 0;
    for (; c + LANES <= steps; c += LANES) v_store(to + c, v_load(from + c));
    for (; c < steps; c++) to[c] = from[c];
  }
}

// Scores (keys, queries) to exponentials, zero for keys that are not seen.
INLINE void soften(int nv, float *scores, idx steps, idx padded, const uint8_t *seen, float *most, float *over) {
  vf high[WIDE], total[WIDE];
  UNROLLED for (int v = 0; v < nv; v++) { high[v] = v_splat(-3e38f); total[v] = (vf){0}; }
  for (idx k = 0; k < steps; k++)
    if (!seen || seen[k]) UNROLLED for (int v = 0; v < nv; v++) high[v] = v_max(v_load(scores + k * padded + v * LANES), high[v]);
  for (idx k = 0; k < steps; k++) UNROLLED for (int v = 0; v < nv; v++) {
    float *e = scores + k * padded + v * LANES;
    vf power = {0};
    if (!seen || seen[k]) power = v_exp(v_load(e) - high[v]);
    total[v] += power;
    v_store(e, power);
  }
  UNROLLED for (int v = 0; v < nv; v++) {
    v_store(most + v * LANES, high[v]);
    v_store(over + v * LANES, 1.0f / v_where(total[v] == 0.0f, v_splat(1.0f), total[v]));   // none where nothing is seen
  }
}

// Lanes past the steps of an item read what stands beside it; nothing of theirs is stored.
static void attend(const group *g, const float *queries, const float *kv, const keeps *kept, float *work) {
  const cross_shape *s = &g->j->shape;
  const idx w = s->width, d = w / s->heads, t = s->steps, columns = g->columns, padded = cross_padded(t, LANES);
  float *attended = work, *most = attended + d * padded, *over = most + padded, *scores = over + padded;
  for (idx h = 0; h < s->heads; h++)
    for (idx i = 0; i < g->items; i++) {
      const idx at = h * d * columns + i * t;
      const float *key = kv + at, *value = key + w * columns;
      const uint8_t *seen = g->seen ? g->seen + i * t : NULL;
      multiply((product){.rows = t, .columns = padded, .depth = d, .a = key, .down = 1, .along = columns, .b = queries + at,
                         .b_row = columns, .c = scores, .c_row = padded});   // (keys, queries)
#define DO(NV, C) soften(NV, scores + (C), t, padded, seen, most + (C), over + (C))
      STRIPS(padded, DO);
#undef DO
      multiply((product){.rows = d, .columns = padded, .depth = t, .a = value, .down = columns, .along = 1, .b = scores, .b_row = padded,
                         .c = attended, .c_row = padded});
      for (idx r = 0; r < d; r++)
        for (idx c = 0; c < padded; c += LANES) v_store(attended + r * padded + c, v_load(attended + r * padded + c) * v_load(over + c));
      put(attended, padded, kept->flat + at, d, t, columns);
      put(most, padded, kept->largest + h * columns + i * t, 1, t, columns);
      put(over, padded, kept->inverse + h * columns + i * t, 1, t, columns);
    }
  for (idx r = 0; r < w; r++)
    for (idx c = g->here; c < columns; c++) kept->flat[r * columns + c] = 0.0f;
}

// With E the exponentials, s their sums and A = d_flat / s, the gradient of the scores is E * (V^T A - sum(A * flat)): one product in place of
// a second pass over the keys.
static void attend_back(const group *g, const float *queries, const float *kv, const keeps *kept, const float *d_flat, float *d_q,
                        float *d_kv, float *work) {
  const cross_shape *s = &g->j->shape;
  const idx w = s->width, d = w / s->heads, t = s->steps, columns = g->columns, padded = cross_padded(t, LANES), size = d * padded;
  float *a = work, *out = a + size, *less = out + size, *mask = less + padded, *powers = mask + padded, *slopes = powers + padded * padded;
  for (idx h = 0; h < s->heads; h++)
    for (idx i = 0; i < g->items; i++) {
      const idx at = h * d * columns + i * t, one = h * columns + i * t;
      const float *q = queries + at, *k = kv + at, *v = k + w * columns, *largest = kept->largest + one, *inverse = kept->inverse + one;
      if (g->seen)
        for (idx c = 0; c < t; c++) mask[c] = g->seen[i * t + c] ? 1.0f : 0.0f;
      for (idx c = 0; c < padded; c += LANES) {
        vf sum = {0};
        for (idx r = 0; r < d; r++) {
          const vf x = v_load(d_flat + at + r * columns + c) * v_load(inverse + c);
          sum += x * v_load(kept->flat + at + r * columns + c);
          v_store(a + r * padded + c, x);
        }
        v_store(less + c, sum);
      }
      multiply((product){.rows = t, .columns = padded, .depth = d, .a = q, .down = 1, .along = columns, .b = k, .b_row = columns,
                         .c = powers, .c_row = padded});   // (queries, keys)
      multiply((product){.rows = t, .columns = padded, .depth = d, .a = a, .down = 1, .along = padded, .b = v, .b_row = columns,
                         .c = slopes, .c_row = padded});
      for (idx r = 0; r < t; r++)
        for (idx c = 0; c < padded; c += LANES) {
          vf e = v_exp(v_min(v_load(powers + r * padded + c) - largest[r], (vf){0}));
          if (g->seen) e *= v_load(mask + c);
          v_store(powers + r * padded + c, e);
          v_store(slopes + r * padded + c, (v_load(slopes + r * padded + c) - less[r]) * e);
        }
      multiply((product){.rows = d, .columns = padded, .depth = t, .a = a, .down = padded, .along = 1, .b = powers, .b_row = padded,
                         .c = out, .c_row = padded});
      put(out, padded, d_kv + w * columns + at, d, t, columns);
      multiply((product){.rows = d, .columns = padded, .depth = t, .a = q, .down = columns, .along = 1, .b = slopes, .b_row = padded,
                         .c = out, .c_row = padded});
      put(out, padded, d_kv + at, d, t, columns);
      transpose(slopes, t, padded, powers, padded, 0);
      multiply((product){.rows = d, .columns = padded, .depth = t, .a = k, .down = columns, .along = 1, .b = powers, .b_row = padded,
                         .c = out, .c_row = padded});
      put(out, padded, d_q + at, d, t, columns);
    }
  for (idx r = 0; r < w; r++)
    for (idx c = g->here; c < columns; c++) d_q[r * columns + c] = d_kv[r * columns + c] = d_kv[(w + r) * columns + c] = 0.0f;
}
