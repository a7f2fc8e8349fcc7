// Python binding of the live filter: takes buffers, so it needs neither numpy's headers nor its ABI.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include "live.h"

static const live_kernel *pick(const char *name) {
#ifdef LIVE_X86
  __builtin_cpu_init();
  const int avx2 = __builtin_cpu_supports("avx2");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !strcmp(name, "avx512"))) return &live_kernel_avx512;
  if (avx2 && (!name || !strcmp(name, "avx2"))) return &live_kernel_avx2;
#endif
  return !name || !strcmp(name, "base") ? &live_kernel_base : NULL;
}

enum { REFERENCE, QUERY, PLAYING, PAUSED, PLAYING2, PAUSED2, EMISSION, BUFFERS };
static const char *const names[BUFFERS] = {"reference", "query", "playing", "paused", "the next playing", "the next paused", "emission"};

static int take(PyObject *const *o, Py_buffer *b) {
  for (int k = 0; k < BUFFERS; k++) {
    if (PyObject_GetBuffer(o[k], &b[k], (k >= PLAYING2 ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) return -1;
    if (!b[k].format || b[k].format[0] != 'f' || b[k].ndim != (k == REFERENCE ? 2 : 1)) {
      PyErr_Format(PyExc_TypeError, "%s has the wrong type or shape", names[k]);
      return -1;
    }
  }
  return 0;
}

PyDoc_STRVAR(advance_doc, "advance(reference, query, playing, paused, playing2, paused2, emission, states, sharpness, scale, pause, stay, "
                          "step, skip, enter, leave, jump, kernel=None): as in live_twin.");
static PyObject *py_advance(PyObject *self, PyObject *args) {
  (void)self;
  PyObject *o[BUFFERS] = {0}, *result = NULL;
  Py_buffer b[BUFFERS];
  memset(b, 0, sizeof b);
  const char *name = NULL;
  live_frame f;
  memset(&f, 0, sizeof f);
  Py_ssize_t states;
  if (!PyArg_ParseTuple(args, "OOOOOOOnfffffffff|z", &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &states, &f.sharpness, &f.scale,
                        &f.pause, &f.stay, &f.step, &f.skip, &f.enter, &f.leave, &f.jump, &name))
    return NULL;
  const live_kernel *kernel = pick(name);
  if (!kernel) {
    PyErr_Format(PyExc_ValueError, "no kernel named %s on this machine", name);
    return NULL;
  }
  if (!take(o, b)) {
    f.dims = b[REFERENCE].shape[0], f.width = b[REFERENCE].shape[1], f.states = states;
    int ok = f.width % LANE == 0 && states > f.width - LANE && states <= f.width && b[QUERY].shape[0] == f.dims;
    for (int k = PLAYING; k < BUFFERS; k++) ok &= b[k].shape[0] == f.width + LANE;
    if (ok) {
      f.reference = b[REFERENCE].buf, f.query = b[QUERY].buf, f.playing = b[PLAYING].buf, f.paused = b[PAUSED].buf;
      f.playing2 = b[PLAYING2].buf, f.paused2 = b[PAUSED2].buf, f.emission = b[EMISSION].buf;
      live_result r;
      Py_BEGIN_ALLOW_THREADS
      kernel->advance(&f, &r);
      Py_END_ALLOW_THREADS
      result = Py_BuildValue("fffn", r.pause, r.cost, r.share, (Py_ssize_t)r.best);
    } else {
      PyErr_SetString(PyExc_ValueError, "arrays that do not fit each other");
    }
  }
  for (int k = 0; k < BUFFERS; k++)
    if (b[k].obj) PyBuffer_Release(&b[k]);
  return result;
}

PyDoc_STRVAR(name_doc, "kernel_name(): the instruction set that runs on this machine.");
static PyObject *py_name(PyObject *self, PyObject *args) { (void)self; (void)args; return PyUnicode_FromString(pick(NULL)->name); }

static PyMethodDef methods[] = {{"advance", py_advance, METH_VARARGS, advance_doc},
                                {"kernel_name", py_name, METH_NOARGS, name_doc},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_live", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__live(void) { return PyModuleDef_Init(&module); }
