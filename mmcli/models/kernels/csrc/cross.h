// Layers of directional cross-attention of one pair of sequences, and their gradients: interface between the lane kernels and the Python
// module.
#ifndef CROSS_H
#define CROSS_H
#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t idx;

typedef struct { idx items, steps, width, heads, layers, wide; } cross_shape;

// Each layer adds to x: what its norm finds in the source (attention), then a feed-forward map of its norm. The norms have no gain and shift
// of their own: those belong to the maps behind them, and so does the scale of the scores.
//
// Sequences are float32 (items, steps, width). seen (items, steps), or NULL for all. noise: factors of dropout, NULL for none; those of
// path k (two a layer) and item i are (width, steps) at noise + k * noise_path + i * noise_item. maps (layers, cross_maps): for each layer
// the maps of queries, of keys and values, of what was found, and the two of the feed-forward part; each (inputs + 1, outputs), the last
// row its bias. kept and work: cross_kept and cross_work floats.
typedef struct {
  cross_shape shape;
  const float *x, *source, *noise, *maps;
  const uint8_t *seen;
  idx noise_path, noise_item;
  float *kept, *work;
  float *end;                            // forward
  const float *d_end;                    // backward
  float *d_x, *d_source, *d_maps;
} cross_job;

typedef struct {
  const char *name;
  idx lanes;
  void (*forward)(const cross_job *j);
  void (*backward)(const cross_job *j);
} cross_kernel;

enum { CROSS_COLUMNS = 256 };            // steps worked on at a time: what they need stays in the second-level cache

static inline idx cross_padded(idx n, idx lanes) { return (n + lanes - 1) / lanes * lanes; }
static inline idx cross_group(const cross_shape *s) {
  const idx most = s->steps < CROSS_COLUMNS ? CROSS_COLUMNS / s->steps : 1;
  return most < s->items ? most : s->items;
}
static inline idx cross_groups(const cross_shape *s) { return (s->items + cross_group(s) - 1) / cross_group(s); }
static inline idx cross_columns(const cross_shape *s, idx lanes) { return cross_padded(cross_group(s) * s->steps, lanes); }
static inline idx cross_maps(const cross_shape *s) { return (s->width + 1) * (4 * s->width + s->wide) + (s->wide + 1) * s->width; }

// Floats kept of one group and layer.
static inline idx cross_kept_one(const cross_shape *s, idx lanes) { return (3 * s->width + 2 + 2 * s->heads) * cross_columns(s, lanes); }
static inline idx cross_kept(const cross_shape *s, idx lanes) {
  return cross_groups(s) * (s->layers * cross_kept_one(s, lanes) + s->width * cross_columns(s, lanes)) + lanes;
}
static inline idx cross_head_work(const cross_shape *s, idx lanes) {
  const idx t = cross_padded(s->steps, lanes);
  return 2 * t * t + (2 * (s->width / s->heads) + 2) * t;
}
static inline idx cross_work(const cross_shape *s, idx lanes) {
  const idx c = cross_columns(s, lanes), beside = cross_padded(s->width + 1, lanes);
  return (9 * s->width + 2 * s->wide + 2 * beside) * c + 2 * cross_groups(s) * s->width * c + cross_head_work(s, lanes) +
         (4 * s->width + 2 * s->wide + 1) * beside + 64 * lanes;
}

extern const cross_kernel cross_kernel_base;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(BASE_ONLY)
#define CROSS_X86 1
extern const cross_kernel cross_kernel_avx2, cross_kernel_avx512;
#endif
#endif
