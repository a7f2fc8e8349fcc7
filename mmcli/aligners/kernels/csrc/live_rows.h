// One frame of the forward filter over all states of a reference. Included once per instruction set by a translation unit that defines
// KERNEL (symbol) and KERNEL_NAME and has switched the compiler to that set. What it computes is said in live_twin.py.
#include "live.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)   // no fused multiply-add: every instruction set gives the same bits
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
typedef float vf __attribute__((vector_size(4 * LANE)));
typedef int32_t vi __attribute__((vector_size(4 * LANE)));
typedef float vf_mem __attribute__((vector_size(4 * LANE), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf_mem *)p; }
INLINE void store(float *p, vf a) { *(vf_mem *)p = a; }
INLINE vf splat(float a) { return a - (vf){0}; }
INLINE vf select(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }

// exp(x) of x <= 0: 2^n times the Taylor polynomial of the rest, at most 0.35, to degree 7 (next term below 2^-24). Below -87 it stays
// at exp(-87): nothing here is ever impossible.
INLINE vf v_exp(vf x) {
  x = select(x < splat(-87.f), splat(-87.f), x);
  const vf shifted = x * 1.44269504f + splat(0x1.8p23f), n = shifted - splat(0x1.8p23f);
  const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vf p = r * (1.f / 5040.f) + splat(1.f / 720.f);
  p = p * r + splat(1.f / 120.f);
  p = p * r + splat(1.f / 24.f);
  p = p * r + splat(1.f / 6.f);
  p = p * r + splat(0.5f);
  p = p * r + splat(1.f);
  p = p * r + splat(1.f);
  return (vf)((vi)p + (((vi)shifted - (vi)splat(0x1.8p23f)) << 23));
}

static float distances(const live_frame *f) {   // into `emission`, scaled; returns the least of them
  vf least = splat(1e30f);
  for (idx j = 0; j < f->width; j += LANE) {
    vf s = {0};
    for (idx k = 0; k < f->dims; k++) {
      const vf d = load(f->reference + k * f->width + j) - splat(f->query[k]);
      s += d * d;
    }
    float root[LANE];
    memcpy(root, &s, sizeof root);
    for (int l = 0; l < LANE; l++) root[l] = sqrtf(root[l]);
    memcpy(&s, root, sizeof root);
    s *= splat(f->scale);
    store(f->emission + LANE + j, s);
    if (j + LANE > f->states)
      for (idx l = f->states - j; l < LANE; l++) s[l] = 1e30f;
    least = select(s < least, s, least);
  }
  float lowest = least[0];
  for (int l = 1; l < LANE; l++) lowest = least[l] < lowest ? least[l] : lowest;
  return lowest;
}

static void advance(const live_frame *f, live_result *r) {
  r->cost = distances(f);
  const float pause = f->pause < 0 ? expf(-f->sharpness * r->cost) : f->pause;
  const float go = (1 - f->enter) * (1 - f->jump), everywhere = f->jump / (float)f->states;
  vf playing = {0}, paused = {0};
  float highest = -1;
  idx best = 0;
  for (idx j = 0; j < f->width; j += LANE) {
    const float *d = f->playing + LANE + j;
    const vf p = load(f->paused + LANE + j), now = load(d);
    const vf e = v_exp(load(f->emission + LANE + j) * splat(-f->sharpness));
    vf from = now * f->stay + load(d - 1) * f->step + load(d - 2) * f->skip;
    from = from * go + p * f->leave + splat(everywhere);
    vf a = e * from, b = (p * (1 - f->leave) + now * f->enter) * pause;
    if (j + LANE > f->states)
      for (idx l = f->states - j; l < LANE; l++) a[l] = b[l] = 0;
    store(f->emission + LANE + j, e);
    store(f->playing2 + LANE + j, a);
    store(f->paused2 + LANE + j, b);
    playing += a;
    paused += b;
    const vf both = a + b;
    const vi higher = both > splat(highest);
    int any = 0;
    for (int l = 0; l < LANE; l++) any |= higher[l];
    if (any)
      for (int l = 0; l < LANE; l++)
        if (both[l] > highest) highest = both[l], best = j + l;
  }
  double sum = 0, held = 0;
  for (int l = 0; l < LANE; l++) sum += playing[l], held += paused[l];
  const float inverse = (float)(1 / (sum + held));
  for (idx j = 0; j < f->width; j += LANE) {
    store(f->playing2 + LANE + j, load(f->playing2 + LANE + j) * inverse);
    store(f->paused2 + LANE + j, load(f->paused2 + LANE + j) * inverse);
  }
  r->pause = pause;
  r->share = (float)(held / (sum + held));
  r->best = best;
}

const live_kernel KERNEL = {KERNEL_NAME, advance};
