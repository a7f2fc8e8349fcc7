// The sweep on several threads: each takes the next tile row and stays behind the one above it. Every tile gets the same borders as
// in one thread, so the bytes are the same. Only the calling thread polls.
#include <pthread.h>
#include <sched.h>
#include <time.h>

static int stopped(sweep_t *w, int is_main) {
  if (is_main && w->run->opt->poll && w->run->opt->poll(w->run->opt->poll_arg)) __atomic_store_n(&w->code, DTW_STOPPED, __ATOMIC_RELAXED);
  return __atomic_load_n(&w->code, __ATOMIC_RELAXED);
}

static void report(sweep_t *w, idx r, idx column) {
  if (w->done) __atomic_store_n(&w->done[r], column, __ATOMIC_RELEASE);
}

// Until tile columns below `column` are final in tile row r.
static int wait_for(sweep_t *w, idx r, idx column, int is_main) {
  if (!w->done) return DTW_OK;
  for (int tries = 0; __atomic_load_n(&w->done[r], __ATOMIC_ACQUIRE) < column; tries++) {
    if (tries < 200) continue;
    const struct timespec nap = {0, 20000};
    nanosleep(&nap, NULL);
    const int code = stopped(w, is_main);
    if (code) return code;
  }
  return DTW_OK;
}

static int rows_until_done(sweep_t *w, int is_main) {
  scratch_t scratch = {0};
  int code = scratch_new(&scratch, w->run);
  while (!code) {
    const idx r = __atomic_fetch_add(&w->next_row, 1, __ATOMIC_RELAXED);
    if (r >= w->b1 - w->b0) break;
    code = sweep_row(w, &scratch, r, is_main);
  }
  scratch_free(&scratch);
  if (code) __atomic_store_n(&w->code, code, __ATOMIC_RELAXED);
  return code;
}
static void *thread_main(void *w) { rows_until_done(w, 0); return NULL; }

// The whole sweep, with as many threads as the plan allows and the region is worth.
static int wave(const run_t *s, sweep_t *w) {
  enum { MOST = 64 };
  pthread_t threads[MOST];
  const idx rows = w->b1 - w->b0;
  int others = (int)RUN_MIN(RUN_MIN(s->g->threads, rows), w->c1 - w->c0) - 1, started = 0;
  w->run = s;
  w->last = INFINITY;
  w->next_row = 0;
  w->cells = 0;
  w->code = DTW_OK;
  w->done = NULL;
  if (rows * (w->c1 - w->c0) < 8) others = 0;
  if (others > 0 && !(w->done = calloc((size_t)rows, sizeof(idx)))) return DTW_NO_MEMORY;
  for (idx r = 0; others > 0 && r < rows; r++) w->done[r] = w->c0;
  for (; started < others && started < MOST; started++)
    if (pthread_create(&threads[started], NULL, thread_main, w)) break;   // then the others do its share
  if (!rows_until_done(w, 1)) wait_for(w, rows - 1, w->c1, 1);   // polling while the others finish
  for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
  free(w->done);
  w->done = NULL;
  return w->code;
}
