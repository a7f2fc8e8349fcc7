// The recurrences of left-to-right hidden Markov models over the rows of one block, all states of a row side by side. Included once per
// instruction set by a translation unit that defines KERNEL (symbol), KERNEL_NAME and LANES and has switched the compiler to that set.
//
// Probabilities far below the range of a double are the rule here, and logarithms would cost an exp and a log a cell and lose digits
// on long recordings. So a value is a mantissa in [1, 2), or 0, and a binary exponent held in a second double: products multiply and
// add, sums shift to the largest exponent, and only the emissions, which come as logarithms, need an exp.
#include "hmm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)   // no fused multiply-add: every instruction set gives the same bits
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
typedef double vd __attribute__((vector_size(8 * LANES)));
typedef int64_t vi __attribute__((vector_size(8 * LANES)));
typedef int8_t vb __attribute__((vector_size(LANES)));
typedef double vd_mem __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef int8_t vb_mem __attribute__((vector_size(LANES), aligned(1), may_alias));

enum { PAD = 16 };          // doubles before and after a row, so that whole vectors and short jumps stay inside
#define MAGIC 0x1.8p52      // adding it rounds to a whole number and leaves that number in the low bits

INLINE vd v_splat(double a) { return a - (vd){0}; }
INLINE vd v_load(const double *p) { return *(const vd_mem *)p; }
INLINE void v_store(double *p, vd a) { *(vd_mem *)p = a; }
INLINE vd v_select(vi m, vd a, vd b) { return (vd)(((vi)a & m) | ((vi)b & ~m)); }
INLINE vd v_max(vd a, vd b) { return v_select(a > b, a, b); }
INLINE vd v_pow2(vd e) { return (vd)((vi)(v_max(e, v_splat(-1022)) + (MAGIC + 1023)) << 52); }   // e whole, at most 0

typedef struct { vd m, e; } wide;   // m * 2^e

INLINE wide w_normal(vd m, vd e) {
  const vi zero = m == 0;
  const vd up = (vd)(((vi)m >> 52) | (vi)v_splat(0x1p52)) - (0x1p52 + 1023);
  m = (vd)(((vi)m & 0xfffffffffffffLL) | 0x3ff0000000000000LL);
  return (wide){v_select(zero, (vd){0}, m), v_select(zero, v_splat(HMM_EMPTY), e + up)};
}

// exp(x): 2^n times the Taylor polynomial of the rest, at most 0.35, to degree 13 (next term below 2^-57).
INLINE wide w_exp(vd x) {
  const vi none = x == v_splat(-INFINITY);
  x = v_max(x, v_splat(-1e15));
  const vd n = (x * 0x1.71547652b82fep0 + MAGIC) - MAGIC;
  const vd r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  const vd r2 = r * r, r4 = r2 * r2;           // in pairs (Estrin), since a chain of thirteen steps would wait for each
  const vd low = (r + 1) + (r * (1. / 6.) + 1. / 2.) * r2 + ((r * (1. / 120.) + 1. / 24.) + (r * (1. / 5040.) + 1. / 720.) * r2) * r4;
  const vd high = (r * (1. / 362880.) + 1. / 40320.) + (r * (1. / 39916800.) + 1. / 3628800.) * r2 +
                  (r * (1. / 6227020800.) + 1. / 479001600.) * r4;
  const vd p = low + high * (r4 * r4);
  return w_normal(v_select(none, (vd){0}, p), n);
}

// Rows in this file are `width` values with PAD on both sides; `at(r)` is the first value.
typedef struct {
  double *m, *e;
  idx lo, hi;               // what lies outside is zero
} wrow;

typedef struct {
  idx width, stride, jumps;
  double *memory, *tm, *te, *x, *fm, *fe;
  wrow now, next;
} scratch;

static void wrow_clear(wrow *r) {
  for (idx s = r->lo; s < r->hi; s++) r->m[s] = 0, r->e[s] = HMM_EMPTY;
  r->lo = r->hi = 0;
}

static int scratch_new(scratch *w, const hmm_block *b) {
  w->width = b->width; w->jumps = b->jumps;
  const idx pad = PAD + b->jumps;
  w->stride = b->width + 2 * pad;
  w->memory = malloc(sizeof(double) * (size_t)w->stride * (7 + 2 * b->jumps));
  if (!w->memory) return -1;
  double *p = w->memory + pad;
  w->now = (wrow){p, p + w->stride, -pad, b->width + pad};
  w->next = (wrow){p + 2 * w->stride, p + 3 * w->stride, -pad, b->width + pad};
  w->x = p + 4 * w->stride; w->fm = p + 5 * w->stride; w->fe = p + 6 * w->stride;
  w->tm = p + 7 * w->stride; w->te = w->tm + b->jumps * w->stride;
  wrow_clear(&w->now);
  wrow_clear(&w->next);
  for (idx s = -pad; s < b->width + pad; s++) w->x[s] = -INFINITY, w->fm[s] = 0, w->fe[s] = HMM_EMPTY;
  for (idx k = 0; k < b->jumps; k++) {
    double *to = w->tm + k * w->stride, *te = w->te + k * w->stride;
    for (idx s = -pad; s < b->width + pad; s++) to[s] = -INFINITY;
    memcpy(to, b->trans + k * b->width, sizeof(double) * b->width);
    for (idx s = -pad; s + LANES <= b->width + pad; s += LANES) {
      const wide t = w_exp(v_load(to + s));
      v_store(to + s, t.m);
      v_store(te + s, t.e);
    }
    for (idx s = b->width; s < b->width + pad; s++) to[s] = 0, te[s] = HMM_EMPTY;
  }
  return 0;
}

static idx down(idx s) { return s & ~(idx)7; }
static idx up(idx s) { return (s + 7) & ~(idx)7; }

// The emissions of one frame between lo and hi rounded outwards to whole vectors, minus infinity where no state is allowed.
INLINE void take(scratch *w, const double *emission, idx lo, idx hi) {
  for (idx s = down(lo); s < lo; s++) w->x[s] = -INFINITY;
  memcpy(w->x + lo, emission + lo, sizeof(double) * (hi - lo));
  for (idx s = hi; s < up(hi); s++) w->x[s] = -INFINITY;
}

// Sum over the jumps k of row[s + sign*k] * trans[k][s or s - k]: forward sign -1, backward +1. `jumps` is a constant where it is small.
INLINE wide gather(const scratch *w, const wrow *r, idx s, int sign, idx jumps) {
  vd e = v_splat(4 * HMM_EMPTY), m = {0};
  for (idx k = 0; k < jumps; k++) {
    const idx from = sign < 0 ? s - k : s;
    e = v_max(e, v_load(r->e + s + sign * k) + v_load(w->te + k * w->stride + from));
  }
  for (idx k = 0; k < jumps; k++) {
    const idx from = sign < 0 ? s - k : s;
    const vd ek = v_load(r->e + s + sign * k) + v_load(w->te + k * w->stride + from);
    m += v_load(r->m + s + sign * k) * v_load(w->tm + k * w->stride + from) * v_pow2(ek - e);
  }
  return (wide){m, e};
}
#define GATHER(sign)                                                                                                              \
  (w.jumps == 2 ? gather(&w, &w.now, s, sign, 2) : w.jumps == 3 ? gather(&w, &w.now, s, sign, 3) : gather(&w, &w.now, s, sign, w.jumps))

static void swap(scratch *w, idx lo, idx hi) {
  const wrow t = w->now;
  w->now = w->next;
  w->now.lo = down(lo); w->now.hi = up(hi);
  w->next = t;
  wrow_clear(&w->next);
}

static int forward(const hmm_block *b, const double *start, double *row, double *store) {
  scratch w;
  if (scratch_new(&w, b)) return -1;
  const size_t bytes = sizeof(double) * (size_t)b->width;
  memcpy(w.now.m, row, bytes);
  memcpy(w.now.e, row + b->width, bytes);
  w.now.lo = 0; w.now.hi = b->width;
  for (idx r = 0; r < b->rows; r++) {
    const idx lo = b->lo[r], hi = b->hi[r];
    take(&w, b->emission + r * b->width, lo, hi);
    if (!r && start) memcpy(w.fm, start, bytes);
    for (idx s = down(lo); s < hi; s += LANES) {
      const wide t = !r && start ? w_exp(v_load(w.fm + s)) : GATHER(-1), x = w_exp(v_load(w.x + s));
      const wide f = w_normal(t.m * x.m, t.e + x.e);
      v_store(w.next.m + s, f.m);
      v_store(w.next.e + s, f.e);
    }
    swap(&w, lo, hi);
    if (store) {
      memcpy(store + 2 * r * b->width, w.now.m, bytes);
      memcpy(store + (2 * r + 1) * b->width, w.now.e, bytes);
    }
  }
  memcpy(row, w.now.m, bytes);
  memcpy(row + b->width, w.now.e, bytes);
  free(w.memory);
  return 0;
}

static int backward(const hmm_block *b, const double *end, double *row, const double *store, double *gamma) {
  scratch w;
  if (scratch_new(&w, b)) return -1;
  const size_t bytes = sizeof(double) * (size_t)b->width;
  memcpy(w.now.m, row, bytes);
  memcpy(w.now.e, row + b->width, bytes);
  w.now.lo = 0; w.now.hi = b->width;
  for (idx r = b->rows - 1; r >= 0; r--) {
    const idx lo = b->lo[r], hi = b->hi[r];
    const int last = end && r == b->rows - 1;
    double *g = gamma + r * b->width;
    take(&w, b->emission + r * b->width, lo, hi);
    if (last) memcpy(w.next.m, end, bytes);
    vd top = v_splat(4 * HMM_EMPTY);
    memcpy(w.fm + lo, store + 2 * r * b->width + lo, sizeof(double) * (hi - lo));
    memcpy(w.fe + lo, store + (2 * r + 1) * b->width + lo, sizeof(double) * (hi - lo));
    for (idx s = down(lo); s < lo; s++) w.fm[s] = 0, w.fe[s] = HMM_EMPTY;
    for (idx s = hi; s < up(hi); s++) w.fm[s] = 0, w.fe[s] = HMM_EMPTY;
    for (idx s = down(lo); s < hi; s += LANES) {
      const wide t = last ? w_exp(v_load(w.next.m + s)) : GATHER(1), x = w_exp(v_load(w.x + s));
      const wide p = w_normal(t.m * v_load(w.fm + s), t.e + v_load(w.fe + s)), n = w_normal(t.m * x.m, t.e + x.e);
      top = v_max(top, p.e);
      v_store(w.fm + s, p.m);
      v_store(w.fe + s, p.e);
      v_store(w.next.m + s, n.m);
      v_store(w.next.e + s, n.e);
    }
    if (last)                                  // the end values that were put there lie outside the corridor too
      for (idx s = 0; s < b->width; s++)
        if (s < down(lo) || s >= hi) w.next.m[s] = 0, w.next.e[s] = HMM_EMPTY;
    swap(&w, lo, hi);
    double most = 4 * HMM_EMPTY, sum[8] = {0}, total = 0;
    for (int l = 0; l < LANES; l++) most = top[l] > most ? top[l] : most;
    for (idx s = down(lo); s < hi; s += LANES) v_store(w.fm + s, v_load(w.fm + s) * v_pow2(v_load(w.fe + s) - most));
    for (idx s = down(lo); s < hi; s += 8)     // eight sums on every machine: the same bits
      for (int l = 0; l < 8; l++) sum[l] += w.fm[s + l];
    for (int l = 0; l < 8; l++) total += sum[l];
    const double scale = total > 0 ? 1 / total : 0;
    memset(g, 0, bytes);
    for (idx s = lo; s < hi; s++) g[s] = w.fm[s] * scale;
  }
  memcpy(row, w.now.m, bytes);
  memcpy(row + b->width, w.now.e, bytes);
  free(w.memory);
  return 0;
}

static int viterbi(const hmm_block *b, const double *start, double *row, int8_t *codes) {
  const idx pad = PAD + b->jumps, stride = b->width + 2 * pad;
  double *memory = malloc(sizeof(double) * (size_t)stride * (3 + b->jumps));
  int8_t *code = malloc((size_t)stride);
  if (!memory || !code) { free(memory); free(code); return -1; }
  double *now = memory + pad, *next = now + stride, *x = now + 2 * stride, *trans = now + 3 * stride;
  for (idx q = 0; q < stride * (3 + b->jumps); q++) memory[q] = -INFINITY;
  for (idx k = 0; k < b->jumps; k++) memcpy(trans + k * stride, b->trans + k * b->width, sizeof(double) * b->width);
  memcpy(now, row, sizeof(double) * b->width);
  for (idx r = 0; r < b->rows; r++) {
    const idx lo = b->lo[r], hi = b->hi[r];
    memcpy(x + lo, b->emission + r * b->width + lo, sizeof(double) * (hi - lo));
    for (idx s = down(lo); s < lo; s++) x[s] = -INFINITY;
    for (idx s = hi; s < up(hi); s++) x[s] = -INFINITY;
    for (idx s = -pad; s < b->width + pad; s++) next[s] = -INFINITY;
    if (!r && start)
      for (idx s = lo; s < hi; s++) next[s] = start[s] + x[s];
    else
      for (idx s = down(lo); s < hi; s += LANES) {
        vd best = v_splat(-INFINITY);
        vi from = v_splat(0) == 0;
        from = -from;                          // 1: the step to the next state wins ties, staying comes second
        if (b->jumps > 1) best = v_load(now + s - 1) + v_load(trans + stride + s - 1);
        for (idx q = 0; q + 1 < b->jumps || !q; q++) {
          const idx k = q ? q + 1 : 0;
          const vd v = v_load(now + s - k) + v_load(trans + k * stride + s - k);
          const vi better = v > best;
          best = v_select(better, v, best);
          from = (from & ~better) | (better & k);
        }
        v_store(next + s, best + v_load(x + s));
        if (codes) *(vb_mem *)(code + pad + s) = __builtin_convertvector(from, vb);
      }
    if (codes && (r || !start)) memcpy(codes + r * b->width + lo, code + pad + lo, (size_t)(hi - lo));
    double *t = now; now = next; next = t;
  }
  memcpy(row, now, sizeof(double) * b->width);
  free(memory);
  free(code);
  return 0;
}

const hmm_kernel KERNEL = {KERNEL_NAME, viterbi, forward, backward};
