// Vectors of LANES floats, and products and transposes of matrices whose columns are a multiple of LANES.
#include "cross.h"
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")
typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef float vf_mem __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE vf v_splat(float a) { return a - (vf){0}; }
INLINE vf v_load(const float *p) { return *(const vf_mem *)p; }
INLINE void v_store(float *p, vf a) { *(vf_mem *)p = a; }
INLINE vf v_where(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }
#if LANES == 16 && defined(CROSS_X86)
INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
#elif LANES == 8 && defined(CROSS_X86)
INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
#else
INLINE vf v_max(vf a, vf b) { return v_where(a > b, a, b); }
INLINE vf v_min(vf a, vf b) { return v_where(a < b, a, b); }
INLINE vf v_sqrt(vf a) { for (int l = 0; l < LANES; l++) a[l] = sqrtf(a[l]); return a; }
#endif

// e to the x for x <= 0, within 2 units in the last place; below -86 that of -86.
INLINE vf v_exp(vf x) {
  x = v_max(x, v_splat(-86.0f));
  const vf shifted = x * 1.44269504f + 12582912.0f;    // the nearest integer stands in the low bits
  const vf n = shifted - 12582912.0f;
  const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vf p = r * (1.0f / 720) + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return (vf)((vu)p + ((vu)shifted << 23));
}

// c (rows, columns) = sum over k of a[i * down + k * along] * b[k], and where asked for: plus bias[i], plus what stood there, negative numbers
// to zero, zero where `gate` is not positive. Columns are a multiple of LANES.
typedef struct {
  idx rows, columns, depth;
  const float *a; idx down, along;
  const float *b; idx b_row;
  float *c; idx c_row;
  const float *bias, *gate;
  int add, relu;
} product;

// `rows` and `nv` are constants at every call: the sums stay in registers.
INLINE void tile(const product *p, int rows, int nv, const float *a, const float *b, float *c, const float *bias, const float *gate) {
  vf s[6][WIDE];
  UNROLLED for (int i = 0; i < rows; i++) {
    const vf first = bias ? v_splat(bias[i]) : (vf){0};
    UNROLLED for (int v = 0; v < nv; v++) s[i][v] = first;
  }
  const idx down = p->down, along = p->along, b_row = p->b_row;
  for (idx k = 0; k < p->depth; k++, a += along, b += b_row) {
    vf x[WIDE];
    UNROLLED for (int v = 0; v < nv; v++) x[v] = v_load(b + v * LANES);
    UNROLLED for (int i = 0; i < rows; i++) {
      const vf w = v_splat(a[i * down]);
      UNROLLED for (int v = 0; v < nv; v++) s[i][v] += w * x[v];
    }
  }
  UNROLLED for (int i = 0; i < rows; i++) UNROLLED for (int v = 0; v < nv; v++) {
    float *to = c + i * p->c_row + v * LANES;
    vf r = s[i][v];
    if (p->add) r += v_load(to);
    if (p->relu) r = v_max(r, (vf){0});
    if (gate) r = v_where(v_load(gate + i * p->c_row + v * LANES) > 0.0f, r, (vf){0});
    v_store(to, r);
  }
}

INLINE void strip(const product *p, int nv, idx at) {
  const float *a = p->a, *b = p->b + at, *bias = p->bias, *gate = p->gate ? p->gate + at : NULL;
  float *c = p->c + at;
  idx left = p->rows;
  for (; left >= 6; left -= 6) {
    tile(p, 6, nv, a, b, c, bias, gate);
    a += 6 * p->down; c += 6 * p->c_row;
    if (bias) bias += 6;
    if (gate) gate += 6 * p->c_row;
  }
  if (left == 5) tile(p, 5, nv, a, b, c, bias, gate);
  if (left == 4) tile(p, 4, nv, a, b, c, bias, gate);
  if (left == 3) tile(p, 3, nv, a, b, c, bias, gate);
  if (left == 2) tile(p, 2, nv, a, b, c, bias, gate);
  if (left == 1) tile(p, 1, nv, a, b, c, bias, gate);
}

static void multiply(product p) {
  idx at = 0;
  for (; at + WIDE * LANES <= p.columns; at += WIDE * LANES) strip(&p, WIDE, at);
#if WIDE > 2
  if (p.columns - at == 3 * LANES) strip(&p, 3, at);
  if (p.columns - at == 2 * LANES) strip(&p, 2, at);
#endif
  if (p.columns - at == LANES) strip(&p, 1, at);
}

#if LANES == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(A, B, ...) __builtin_shufflevector(A, B, __VA_ARGS__)
#else
#define SHUFFLE(A, B, ...) __builtin_shuffle(A, B, (vi){__VA_ARGS__})
#endif

// (rows, columns) to (columns, to_row), with a column of ones after the rows if wanted, then zeros: log2(LANES) perfect shuffles a tile.
static void transpose(const float *from, idx rows, idx columns, float *to, idx to_row, int ones) {
  for (idx i = 0; i < to_row; i += LANES)
    for (idx j = 0; j < columns; j += LANES) {
      vf a[LANES], b[LANES];
      UNROLLED for (int r = 0; r < LANES; r++)
        a[r] = i + r < rows ? v_load(from + (i + r) * columns + j) : v_splat(ones && i + r == rows ? 1.0f : 0.0f);
      UNROLLED for (int s = 1; s < LANES; s *= 2) {
        UNROLLED for (int r = 0; r < LANES / 2; r++) {
          b[2 * r] = SHUFFLE(a[r], a[r + LANES / 2], LOW);
          b[2 * r + 1] = SHUFFLE(a[r], a[r + LANES / 2], HIGH);
        }
        UNROLLED for (int r = 0; r < LANES; r++) a[r] = b[r];
      }
      UNROLLED for (int r = 0; r < LANES; r++) v_store(to + (j + r) * to_row + i, a[r]);
    }
}

// DO(vectors, column) for all columns, WIDE vectors at a time and then one.
#define STRIPS(COLUMNS, DO)                                                      \
  do {                                                                           \
    idx c_ = 0;                                                                  \
    for (; c_ + WIDE * LANES <= (COLUMNS); c_ += WIDE * LANES) { DO(WIDE, c_); } \
    for (; c_ < (COLUMNS); c_ += LANES) { DO(1, c_); }                           \
  } while (0)
