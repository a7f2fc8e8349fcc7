// Long work with the GIL released: `poll_gil` takes it back some ten times a second to let a signal handler (Ctrl-C) run.
#ifndef POLL_H
#define POLL_H
#include <Python.h>
#include <time.h>

typedef struct { PyThreadState *saved; struct timespec last; int raised; } poll_state;

static inline void poll_begin(poll_state *s) {
  s->raised = 0;
  clock_gettime(CLOCK_MONOTONIC, &s->last);
  s->saved = PyEval_SaveThread();
}
static inline void poll_end(poll_state *s) { PyEval_RestoreThread(s->saved); }

// Non-zero: an exception is set and the work must stop. Only for the thread that called poll_begin.
static int poll_gil(void *p) {
  poll_state *s = p;
  struct timespec now;
  if (s->raised) return 1;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if ((now.tv_sec - s->last.tv_sec) + 1e-9 * (now.tv_nsec - s->last.tv_nsec) < 0.1) return 0;
  s->last = now;
  PyEval_RestoreThread(s->saved);
  s->raised = PyErr_CheckSignals() != 0;
  s->saved = PyEval_SaveThread();
  return s->raised;
}
#endif
