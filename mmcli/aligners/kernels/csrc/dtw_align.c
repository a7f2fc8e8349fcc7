// One alignment: plan, then run in the number type asked for.
#include "dtw.h"
#include <math.h>

int dtw_align(const dtw_problem *p, const dtw_options *opt, double *cost, int64_t *path, idx *length) {
  dtw_plan plan;
  int code = dtw_plan_make(&plan, p, opt, path != NULL);
  *cost = INFINITY;
  *length = 0;
  if (!code) code = (p->use_double ? dtw_run_f64 : dtw_run_f32)(p, &plan, opt, cost, path, length);
  dtw_plan_free(&plan);
  return code == DTW_NO_PATH ? DTW_OK : code;
}
