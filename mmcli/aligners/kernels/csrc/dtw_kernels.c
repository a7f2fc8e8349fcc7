// Which tile kernel runs on this machine.
#include "dtw.h"
#include <string.h>

extern const kernel_f32 dtw_base_f32;
extern const kernel_f64 dtw_base_f64;
const dtw_kernel dtw_kernel_base = {"base", &dtw_base_f32, &dtw_base_f64};
#ifdef DTW_X86
extern const kernel_f32 dtw_avx2_f32, dtw_avx512_f32;
extern const kernel_f64 dtw_avx2_f64, dtw_avx512_f64;
const dtw_kernel dtw_kernel_avx2 = {"avx2", &dtw_avx2_f32, &dtw_avx2_f64};
const dtw_kernel dtw_kernel_avx512 = {"avx512", &dtw_avx512_f32, &dtw_avx512_f64};
#endif

const dtw_kernel *dtw_pick_kernel(const char *name) {
#ifdef DTW_X86
  __builtin_cpu_init();
  const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !strcmp(name, "avx512"))) return &dtw_kernel_avx512;
  if (avx2 && (!name || !strcmp(name, "avx2"))) return &dtw_kernel_avx2;
#endif
  return !name || !strcmp(name, "base") ? &dtw_kernel_base : NULL;
}
