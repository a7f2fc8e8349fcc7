// Python binding of the lane kernels: takes buffers, so it needs neither numpy's headers nor its ABI. Releases the GIL and polls for
// Ctrl-C between groups of pairs.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "pairs.h"
#include "poll.h"

static const pairs_kernel *pick(const char *name) {
#ifdef PAIRS_X86
  __builtin_cpu_init();
  const int avx2 = __builtin_cpu_supports("avx2");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !strcmp(name, "avx512"))) return &pairs_kernel_avx512;
  if (avx2 && (!name || !strcmp(name, "avx2"))) return &pairs_kernel_avx2;
#endif
  return !name || !strcmp(name, "base") ? &pairs_kernel_base : NULL;
}

// Series lie one after another: series k is rows offsets[k] to offsets[k + 1] of `values`.
typedef struct { const double *values; const int64_t *offsets; idx count, rows; } series;

typedef struct {
  const pairs_kernel *kernel;
  series x, y;
  pairs_job job;
  double *y_packed, out[16];
  int64_t lengths[16];
  idx longest;
} work;

static idx length(const series *s, idx k) { return (idx)(s->offsets[k + 1] - s->offsets[k]); }

static int work_new(work *w, idx longest) {
  const size_t lanes = (size_t)w->kernel->lanes, columns = (size_t)longest;
  w->longest = longest;
  w->y_packed = malloc(sizeof(double) * columns * (size_t)w->job.d * lanes);
  w->job.work = malloc(sizeof(double) * 2 * (columns + PAIRS_PAD) * lanes);
  w->job.y = w->y_packed; w->job.lengths = w->lengths; w->job.out = w->out;
  return w->y_packed && w->job.work ? 0 : -1;
}
static void work_free(work *w) { free(w->y_packed); free(w->job.work); }

// Puts series which[0 .. count - 1] of y into the lanes; lanes without one repeat the last.
static void pack(work *w, const int64_t *which, idx count) {
  const int lanes = w->kernel->lanes, d = w->job.d;
  w->job.columns = 0;
  for (int l = 0; l < lanes; l++) {
    w->lengths[l] = length(&w->y, which[l < count ? l : count - 1]);
    if (w->lengths[l] > w->job.columns) w->job.columns = (idx)w->lengths[l];
  }
  for (int l = 0; l < lanes; l++) {
    const double *from = w->y.values + w->y.offsets[which[l < count ? l : count - 1]] * d;
    const idx have = (idx)w->lengths[l] * d, all = w->job.columns * d;
    for (idx q = 0; q < have; q++) w->y_packed[q * lanes + l] = from[q];
    for (idx q = have; q < all; q++) w->y_packed[q * lanes + l] = INFINITY;
  }
}

static void one(work *w, idx i, double upper) {
  w->job.x = w->x.values + w->x.offsets[i] * w->job.d;
  w->job.n = length(&w->x, i);
  w->job.upper = upper;
  w->kernel->run(&w->job);
}

enum { XV, XO, YV, YO, XI, YI, RANGES, UPPER, A, B, BUFFERS };
static const char *const names[BUFFERS] = {"x", "x offsets", "y", "y offsets", "rows", "columns or order", "ranges", "upper or bounds",
                                           "distances", "indices"};

static int take(PyObject *const *o, Py_buffer *b, int k, char type, int write) {
  if (!o[k] || o[k] == Py_None) return 0;
  if (PyObject_GetBuffer(o[k], &b[k], (write ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) return -1;
  if (b[k].format && strchr(type == 'q' ? "lq" : "d", b[k].format[0]) && b[k].itemsize == 8) return 0;
  PyErr_Format(PyExc_TypeError, "%s has the wrong type", names[k]);
  return -1;
}
static idx count(const Py_buffer *b) { return b->obj ? (idx)(b->len / b->itemsize) : 0; }

static int series_of(series *s, const Py_buffer *values, const Py_buffer *offsets, int d) {
  *s = (series){values->buf, offsets->buf, count(offsets) - 1, 0};
  if (s->count < 1 || s->offsets[0]) return -1;
  for (idx k = 0; k < s->count; k++)
    if (s->offsets[k + 1] <= s->offsets[k]) return -1;
  return s->offsets[s->count] * d == count(values) ? 0 : -1;
}
static int inside(const Py_buffer *b, idx below) {
  const int64_t *v = b->buf;
  for (idx k = 0; k < count(b); k++)
    if (v[k] < 0 || v[k] >= below) return 0;
  return 1;
}
// A corridor needs series of one length on either side.
static int ranges_fit(const Py_buffer *b, const work *w) {
  if (!b[RANGES].obj) return 1;
  const int64_t *r = b[RANGES].buf, *xi = b[XI].buf, *yi = b[YI].buf;
  const idx n = count(&b[RANGES]) / 2;
  if (!n || !count(&b[XI]) || !count(&b[YI])) return 0;
  const idx m = length(&w->y, (idx)yi[0]);
  for (idx k = 0; k < count(&b[XI]); k++) if (length(&w->x, (idx)xi[k]) != n) return 0;
  for (idx k = 0; k < count(&b[YI]); k++) if (length(&w->y, (idx)yi[k]) != m) return 0;
  for (idx i = 0; i < n; i++)
    if (r[2 * i] < 0 || r[2 * i] >= r[2 * i + 1] || r[2 * i + 1] > m || (i && (r[2 * i] < r[2 * i - 2] || r[2 * i + 1] < r[2 * i - 1])))
      return 0;
  return 1;
}

// distances[i, j] for the given rows and columns.
static int matrix(work *w, const Py_buffer *b, poll_state *p) {
  const int64_t *xi = b[XI].buf, *yi = b[YI].buf;
  const double *upper = b[UPPER].buf;
  double *to = b[A].buf;
  const idx nx = count(&b[XI]), ny = count(&b[YI]), lanes = w->kernel->lanes;
  for (idx k = 0; k < ny; k += lanes) {
    const idx some = ny - k < lanes ? ny - k : lanes;
    pack(w, yi + k, some);
    for (idx i = 0; i < nx; i++) {
      const double u = upper ? upper[i] : INFINITY;
      one(w, (idx)xi[i], u);
      for (idx l = 0; l < some; l++) to[xi[i] * w->y.count + yi[k + l]] = w->out[l] <= u ? w->out[l] : INFINITY;
      if (poll_gil(p)) return -2;
    }
  }
  return 0;
}

// The least distance of each given x and the index of its y. order (x, y) lists the y by rising lower bound, bounds (x, y) those bounds.
static int nearest(work *w, const Py_buffer *b, poll_state *p, idx *tried) {
  const int64_t *xi = b[XI].buf, *order = b[YI].buf;
  const double *bounds = b[UPPER].buf;
  double *best = b[A].buf;
  int64_t *index = b[B].buf;
  const idx nx = count(&b[XI]), ny = count(&b[YI]) / nx, lanes = w->kernel->lanes;
  for (idx i = 0; i < nx; i++)
    for (idx k = 0; k < ny && bounds[i * ny + k] <= best[i];) {
      idx some = 0;
      while (some < lanes && k + some < ny && bounds[i * ny + k + some] <= best[i]) some++;
      pack(w, order + i * ny + k, some);
      one(w, (idx)xi[i], best[i]);
      for (idx l = 0; l < some; l++) {
        const int64_t j = order[i * ny + k + l];
        if (w->out[l] < best[i] || (w->out[l] == best[i] && w->out[l] < INFINITY && j < index[i])) { best[i] = w->out[l]; index[i] = j; }
      }
      k += some;
      *tried += some;
      if (poll_gil(p)) return -2;
    }
  return 0;
}

static PyObject *call(PyObject *args, int which) {
  PyObject *o[BUFFERS] = {0}, *result = NULL;
  Py_buffer b[BUFFERS];
  memset(b, 0, sizeof b);
  work w;
  memset(&w, 0, sizeof w);
  const char *name = NULL;
  static const char types[BUFFERS] = {'d', 'q', 'd', 'q', 'q', 'q', 'q', 'd', 'd', 'q'};
  if (!(which ? PyArg_ParseTuple(args, "OOOOiiiOOOOOO|z", &o[XV], &o[XO], &o[YV], &o[YO], &w.job.d, &w.job.metric, &w.job.pattern, &o[XI],
                                 &o[YI], &o[RANGES], &o[UPPER], &o[A], &o[B], &name)
              : PyArg_ParseTuple(args, "OOOOiiiOOOOO|z", &o[XV], &o[XO], &o[YV], &o[YO], &w.job.d, &w.job.metric, &w.job.pattern, &o[XI],
                                 &o[YI], &o[RANGES], &o[UPPER], &o[A], &name)))
    return NULL;
  w.kernel = pick(name);
  if (!w.kernel) return PyErr_Format(PyExc_ValueError, "no kernel named %s on this machine", name);
  for (int k = 0; k < BUFFERS; k++)
    if (take(o, b, k, types[k], k >= A)) goto out;
  const idx nx = count(&b[XI]);
  if (w.job.d < 1 || w.job.metric < 0 || w.job.metric > PAIRS_L1 || w.job.pattern < 0 || w.job.pattern > PAIRS_SLOPE2 || !nx ||
      series_of(&w.x, &b[XV], &b[XO], w.job.d) || series_of(&w.y, &b[YV], &b[YO], w.job.d) || !inside(&b[XI], w.x.count) ||
      !inside(&b[YI], w.y.count) || !ranges_fit(b, &w) ||
      (which ? count(&b[YI]) % nx || count(&b[UPPER]) != count(&b[YI]) || count(&b[A]) != nx || count(&b[B]) != nx
             : (b[UPPER].obj && count(&b[UPPER]) != nx) || count(&b[A]) != w.x.count * w.y.count)) {
    PyErr_SetString(PyExc_ValueError, "arrays that do not fit each other");
    goto out;
  }
  w.job.ranges = b[RANGES].buf;
  idx longest = 1, tried = 0;
  for (idx k = 0; k < w.y.count; k++) longest = length(&w.y, k) > longest ? length(&w.y, k) : longest;
  if (work_new(&w, longest)) { PyErr_NoMemory(); goto out; }
  poll_state p;
  poll_begin(&p);
  const int rc = which ? nearest(&w, b, &p, &tried) : matrix(&w, b, &p);
  poll_end(&p);
  if (!rc) result = PyLong_FromSsize_t(tried);
out:
  work_free(&w);
  for (int k = 0; k < BUFFERS; k++)
    if (b[k].obj) PyBuffer_Release(&b[k]);
  return result;
}

PyDoc_STRVAR(matrix_doc, "matrix(x, x_offsets, y, y_offsets, d, metric, pattern, rows, columns, ranges, upper, distances, kernel=None)\n\n"
  "Writes distances[i, j] for i in rows and j in columns; infinity above upper[i].");
static PyObject *py_matrix(PyObject *self, PyObject *args) { (void)self; return call(args, 0); }
PyDoc_STRVAR(nearest_doc, "nearest(x, x_offsets, y, y_offsets, d, metric, pattern, rows, order, ranges, bounds, distances, indices, "
  "kernel=None) -> pairs tried\n\norder and bounds (rows, columns): y by rising lower bound. distances and indices (rows,) hold the best "
  "so far on entry.");
static PyObject *py_nearest(PyObject *self, PyObject *args) { (void)self; return call(args, 1); }
PyDoc_STRVAR(name_doc, "kernel_name(): the instruction set that runs on this machine.");
static PyObject *py_name(PyObject *self, PyObject *args) { (void)self; (void)args; return PyUnicode_FromString(pick(NULL)->name); }

static PyMethodDef methods[] = {{"matrix", py_matrix, METH_VARARGS, matrix_doc}, {"nearest", py_nearest, METH_VARARGS, nearest_doc},
                                {"kernel_name", py_name, METH_NOARGS, name_doc}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_pairs", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__pairs(void) { return PyModuleDef_Init(&module); }
