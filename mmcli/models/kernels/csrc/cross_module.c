// Python binding of the lane kernels: takes buffers, so it needs neither torch's headers nor its ABI. Releases the GIL.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include "cross.h"

static const cross_kernel *pick(const char *name) {
#ifdef CROSS_X86
  __builtin_cpu_init();
  const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !strcmp(name, "avx512"))) return &cross_kernel_avx512;
  if (avx2 && (!name || !strcmp(name, "avx2"))) return &cross_kernel_avx2;
#endif
  return !name || !strcmp(name, "base") ? &cross_kernel_base : NULL;
}

static const cross_kernel *setting(PyObject *shape, const char *name, cross_shape *s) {
  if (!PyArg_ParseTuple(shape, "nnnnnn", &s->items, &s->steps, &s->width, &s->heads, &s->layers, &s->wide)) return NULL;
  if (s->items < 1 || s->steps < 1 || s->width < 1 || s->heads < 1 || s->layers < 1 || s->wide < 1 || s->width % s->heads) {
    PyErr_SetString(PyExc_ValueError, "sizes must be positive and heads must divide the width");
    return NULL;
  }
  const cross_kernel *k = pick(name);
  if (!k) PyErr_Format(PyExc_ValueError, "no kernel named %s on this machine", name);
  return k;
}

PyDoc_STRVAR(room_doc, "room(shape, kernel=None) -> floats of `maps` of a layer, of `kept` and of `work`.");
static PyObject *py_room(PyObject *self, PyObject *args) {
  (void)self;
  PyObject *shape;
  const char *name = NULL;
  cross_shape s;
  if (!PyArg_ParseTuple(args, "O!|z", &PyTuple_Type, &shape, &name)) return NULL;
  const cross_kernel *k = setting(shape, name, &s);
  return k ? Py_BuildValue("nnn", cross_maps(&s), cross_kept(&s, k->lanes), cross_work(&s, k->lanes)) : NULL;
}

enum { MAPS, X, SOURCE, SEEN, NOISE, KEPT, WORK, END, D_X, D_SOURCE, D_MAPS, ARRAYS };

static PyObject *call(PyObject *args, int back) {
  PyObject *shape, *o[ARRAYS] = {0}, *result = NULL;
  Py_buffer b[ARRAYS];
  memset(b, 0, sizeof b);
  cross_job j = {.noise = NULL};
  const char *name = NULL;
  if (!(back ? PyArg_ParseTuple(args, "O!OOOOOnnOOOOOO|z", &PyTuple_Type, &shape, &o[MAPS], &o[X], &o[SOURCE], &o[SEEN], &o[NOISE],
                                &j.noise_path, &j.noise_item, &o[KEPT], &o[WORK], &o[END], &o[D_X], &o[D_SOURCE], &o[D_MAPS], &name)
             : PyArg_ParseTuple(args, "O!OOOOOnnOOO|z", &PyTuple_Type, &shape, &o[MAPS], &o[X], &o[SOURCE], &o[SEEN], &o[NOISE],
                                &j.noise_path, &j.noise_item, &o[KEPT], &o[WORK], &o[END], &name)))
    return NULL;
  const cross_kernel *kernel = setting(shape, name, &j.shape);
  if (!kernel) return NULL;
  const cross_shape *s = &j.shape;
  const idx all = s->items * s->steps * s->width, maps = s->layers * cross_maps(s);
  const idx noise = (2 * s->layers - 1) * j.noise_path + (s->items - 1) * j.noise_item + s->steps * s->width;
  const idx wanted[ARRAYS] = {maps, all, all, s->items * s->steps, noise, cross_kept(s, kernel->lanes), cross_work(s, kernel->lanes), all,
                              all, all, maps};
  for (int k = 0; k < ARRAYS; k++) {
    if (!o[k] || (o[k] == Py_None && (k == SEEN || k == NOISE))) continue;
    const int written = k == WORK || k >= D_X || (!back && (k == KEPT || k == END));
    if (PyObject_GetBuffer(o[k], &b[k], (written ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) goto out;
    if (!b[k].format || strcmp(b[k].format, k == SEEN ? "?" : "f")) {
      PyErr_SetString(PyExc_TypeError, "arrays must be float32, and what is seen bool");
      goto out;
    }
    if (b[k].len / b[k].itemsize < wanted[k] || j.noise_path < 0 || j.noise_item < 0) {
      PyErr_SetString(PyExc_ValueError, "arrays that do not fit each other");
      goto out;
    }
  }
  j.maps = b[MAPS].buf; j.x = b[X].buf; j.source = b[SOURCE].buf; j.seen = b[SEEN].buf; j.noise = b[NOISE].buf;
  j.kept = b[KEPT].buf; j.work = b[WORK].buf;
  if (back) { j.d_end = b[END].buf; j.d_x = b[D_X].buf; j.d_source = b[D_SOURCE].buf; j.d_maps = b[D_MAPS].buf; }
  else j.end = b[END].buf;
  Py_BEGIN_ALLOW_THREADS
  (back ? kernel->backward : kernel->forward)(&j);
  Py_END_ALLOW_THREADS
  result = Py_NewRef(Py_None);
out:
  for (int k = 0; k < ARRAYS; k++)
    if (b[k].obj) PyBuffer_Release(&b[k]);
  return result;
}

PyDoc_STRVAR(forward_doc, "forward(shape, maps, x, source, seen, noise, path, item, kept, work, end, kernel=None)\n\n"
  "shape: items, steps, width, heads, layers, width of the feed-forward part. Writes kept and end.");
static PyObject *py_forward(PyObject *self, PyObject *args) { (void)self; return call(args, 0); }
PyDoc_STRVAR(backward_doc, "backward(shape, maps, x, source, seen, noise, path, item, kept, work, d_end, d_x, d_source, d_maps, kernel=None)");
static PyObject *py_backward(PyObject *self, PyObject *args) { (void)self; return call(args, 1); }
PyDoc_STRVAR(name_doc, "kernel_name(): the instruction set that runs on this machine.");
static PyObject *py_name(PyObject *self, PyObject *args) { (void)self; (void)args; return PyUnicode_FromString(pick(NULL)->name); }

static PyMethodDef methods[] = {{"room", py_room, METH_VARARGS, room_doc}, {"forward", py_forward, METH_VARARGS, forward_doc},
                                {"backward", py_backward, METH_VARARGS, backward_doc},
                                {"kernel_name", py_name, METH_NOARGS, name_doc}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_cross", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__cross(void) { return PyModuleDef_Init(&module); }
