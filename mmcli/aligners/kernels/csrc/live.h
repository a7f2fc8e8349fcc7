// Following a live stream along a reference: internal interface between the row kernels and the Python module.
#ifndef LIVE_H
#define LIVE_H
#include <stddef.h>

typedef ptrdiff_t idx;   // rows, columns; long has 32 bits on Windows

enum { LANE = 16 };      // floats that are worked on at once, the same on every instruction set, so that sums are the same

// One frame of the filter. A row holds LANE zeros and then the states, to a multiple of LANE; `states` of them count.
typedef struct {
  const float *reference;          // (dims, width): one row a dimension
  const float *query;              // (dims,)
  const float *playing, *paused;   // rows before the frame
  float *playing2, *paused2;       // and after it
  float *emission;                 // row: how well each state explains the frame
  idx dims, width, states;
  float sharpness, scale;          // emission = exp(-sharpness * scale * distance)
  float pause;                     // emission of the pause; below 0: that of the best state
  float stay, step, skip;          // probabilities of 0, 1 and 2 states on
  float enter, leave, jump;        // of pausing, of going on, and of being anywhere
} live_frame;

typedef struct {
  float pause, cost, share;        // the emission of the pause; the distance of the best state, scaled; how likely the pause is
  idx best;                        // the likeliest state
} live_result;

typedef struct {
  const char *name;
  void (*advance)(const live_frame *f, live_result *r);
} live_kernel;

extern const live_kernel live_kernel_base;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(BASE_ONLY)
#define LIVE_X86 1
extern const live_kernel live_kernel_avx2, live_kernel_avx512;
#endif
#endif
