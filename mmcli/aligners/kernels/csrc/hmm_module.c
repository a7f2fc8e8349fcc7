// Python binding of the hidden Markov kernels: takes buffers, so it needs neither numpy's headers nor its ABI.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include "hmm.h"

static const hmm_kernel *pick(const char *name) {
#ifdef HMM_X86
  __builtin_cpu_init();
  const int avx2 = __builtin_cpu_supports("avx2");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !strcmp(name, "avx512"))) return &hmm_kernel_avx512;
  if (avx2 && (!name || !strcmp(name, "avx2"))) return &hmm_kernel_avx2;
#endif
  return !name || !strcmp(name, "base") ? &hmm_kernel_base : NULL;
}

enum { EMISSION, LO, HI, TRANS, ENDS, ROW, OUT, GAMMA, BUFFERS };
static const char *const names[BUFFERS] = {"emission", "lo", "hi", "trans", "start or end", "row", "codes or store", "gamma"};

// `form`: one letter a buffer, its item type; '-' where there is none. Buffers from ROW on are written, except the store of backward.
static int take(PyObject *const *o, Py_buffer *b, const char *form) {
  for (int k = 0; k < BUFFERS; k++) {
    if (form[k] == '-') continue;
    const int write = k == ROW || k == GAMMA || (k == OUT && form[GAMMA] == '-');
    if (PyObject_GetBuffer(o[k], &b[k], (write ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) return -1;
    const char *types = form[k] == 'q' ? "lq" : form[k] == 'b' ? "b" : "d";
    if (!b[k].format || !strchr(types, b[k].format[0]) || b[k].itemsize != (form[k] == 'b' ? 1 : 8)) {
      PyErr_Format(PyExc_TypeError, "%s has the wrong type", names[k]);
      return -1;
    }
  }
  if (b[EMISSION].ndim != 2 || b[TRANS].ndim != 2) {
    PyErr_SetString(PyExc_TypeError, "emission and trans must have two dimensions");
    return -1;
  }
  return 0;
}

static idx count(const Py_buffer *b) { return b->obj ? b->len / b->itemsize : 0; }

// The block, after a check that every buffer is as large as the kernels take it to be.
static int block(const Py_buffer *b, hmm_block *k, idx planes, idx out) {
  *k = (hmm_block){b[EMISSION].buf, b[TRANS].buf, b[LO].buf, b[HI].buf, b[EMISSION].shape[0], b[EMISSION].shape[1], b[TRANS].shape[0]};
  const idx cells = k->rows * k->width, ends = count(&b[ENDS]), o = count(&b[OUT]);
  int ok = k->rows > 0 && k->width > 0 && k->jumps > 0 && k->jumps < 127 && b[TRANS].shape[1] == k->width && count(&b[LO]) == k->rows &&
           count(&b[HI]) == k->rows && (!ends || ends == k->width) && count(&b[ROW]) == planes * k->width &&
           (o == out * cells || (!o && !b[GAMMA].obj)) && (!b[GAMMA].obj || count(&b[GAMMA]) == cells);
  for (idx r = 0; ok && r < k->rows; r++) ok = 0 <= k->lo[r] && k->lo[r] <= k->hi[r] && k->hi[r] <= k->width;
  if (!ok) PyErr_SetString(PyExc_ValueError, "arrays that do not fit each other");
  return ok ? 0 : -1;
}

static PyObject *run(PyObject *args, const char *form, idx planes, idx out, int which) {
  PyObject *o[BUFFERS] = {0};
  Py_buffer b[BUFFERS];
  memset(b, 0, sizeof b);
  const char *name = NULL;
  PyObject *result = NULL;
  hmm_block k;
  if (!(which == 2 ? PyArg_ParseTuple(args, "OOOOOOOO|z", &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &o[7], &name)
                   : PyArg_ParseTuple(args, "OOOOOOO|z", &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &name)))
    return NULL;
  const hmm_kernel *kernel = pick(name);
  if (!kernel) {
    PyErr_Format(PyExc_ValueError, "no kernel named %s on this machine", name);
    return NULL;
  }
  if (!take(o, b, form) && !block(b, &k, planes, out)) {
    const double *ends = count(&b[ENDS]) ? b[ENDS].buf : NULL;
    void *to = count(&b[OUT]) ? b[OUT].buf : NULL;
    int rc;
    Py_BEGIN_ALLOW_THREADS
    rc = which == 0   ? kernel->viterbi(&k, ends, b[ROW].buf, to)
         : which == 1 ? kernel->forward(&k, ends, b[ROW].buf, to)
                      : kernel->backward(&k, ends, b[ROW].buf, to, b[GAMMA].buf);
    Py_END_ALLOW_THREADS
    result = rc ? PyErr_NoMemory() : Py_NewRef(Py_None);
  }
  for (int q = 0; q < BUFFERS; q++)
    if (b[q].obj) PyBuffer_Release(&b[q]);
  return result;
}

PyDoc_STRVAR(viterbi_doc, "viterbi_rows(emission, lo, hi, trans, start, row, codes, kernel=None): as in hmm_twin; row (width,).");
static PyObject *py_viterbi(PyObject *self, PyObject *args) { (void)self; return run(args, "dqqdddb-", 1, 1, 0); }
PyDoc_STRVAR(forward_doc, "forward_rows(emission, lo, hi, trans, start, row, store, kernel=None): as in hmm_twin; row (2, width).");
static PyObject *py_forward(PyObject *self, PyObject *args) { (void)self; return run(args, "dqqdddd-", 2, 2, 1); }
PyDoc_STRVAR(backward_doc, "backward_rows(emission, lo, hi, trans, end, row, store, gamma, kernel=None): as in hmm_twin; row (2, width).");
static PyObject *py_backward(PyObject *self, PyObject *args) { (void)self; return run(args, "dqqddddd", 2, 2, 2); }
PyDoc_STRVAR(name_doc, "kernel_name(): the instruction set that runs on this machine.");
static PyObject *py_name(PyObject *self, PyObject *args) { (void)self; (void)args; return PyUnicode_FromString(pick(NULL)->name); }

static PyMethodDef methods[] = {{"viterbi_rows", py_viterbi, METH_VARARGS, viterbi_doc},
                                {"forward_rows", py_forward, METH_VARARGS, forward_doc},
                                {"backward_rows", py_backward, METH_VARARGS, backward_doc},
                                {"kernel_name", py_name, METH_NOARGS, name_doc},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_hmm", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__hmm(void) { return PyModuleDef_Init(&module); }
