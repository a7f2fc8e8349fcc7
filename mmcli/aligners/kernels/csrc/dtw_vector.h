// Vectors of LANES values of REAL. GNU C vector extensions serve every machine; only the minimum and the square root have no
// operator and are named per instruction set.
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
typedef REAL vf __attribute__((vector_size(sizeof(REAL) * LANES)));
typedef INT vi __attribute__((vector_size(sizeof(REAL) * LANES)));
typedef WORD vu __attribute__((vector_size(sizeof(REAL) * LANES)));
typedef REAL vf_mem __attribute__((vector_size(sizeof(REAL) * LANES), aligned(sizeof(REAL)), may_alias));
typedef WORD vu_mem __attribute__((vector_size(sizeof(REAL) * LANES), aligned(sizeof(REAL)), may_alias));

#define VECTOR_BITS (REAL_BITS * LANES)
#if VECTOR_BITS == 512 && defined(DTW_X86)
#include <immintrin.h>
#if REAL_BITS == 32
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
#else
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_pd((__m512d)a, (__m512d)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm512_sqrt_pd((__m512d)a); }
#endif
#elif VECTOR_BITS == 256 && defined(DTW_X86)
#include <immintrin.h>
#if REAL_BITS == 32
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
#else
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_pd((__m256d)a, (__m256d)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm256_sqrt_pd((__m256d)a); }
#endif
#elif VECTOR_BITS == 128 && defined(__SSE2__) && !defined(DTW_GENERIC)
#include <emmintrin.h>
#if REAL_BITS == 32
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
#else
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_pd((__m128d)a, (__m128d)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm_sqrt_pd((__m128d)a); }
#endif
#elif VECTOR_BITS == 128 && defined(__aarch64__) && !defined(DTW_GENERIC)
#include <arm_neon.h>
#if REAL_BITS == 32
INLINE vf v_min(vf a, vf b) { return (vf)vminq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vf v_sqrt(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
#else
INLINE vf v_min(vf a, vf b) { return (vf)vminq_f64((float64x2_t)a, (float64x2_t)b); }
INLINE vf v_sqrt(vf a) { return (vf)vsqrtq_f64((float64x2_t)a); }
#endif
#else
INLINE vf v_min(vf a, vf b) { vi m = (vi)(a < b); return (vf)(((vi)a & m) | ((vi)b & ~m)); }
INLINE vf v_sqrt(vf a) { for (int l = 0; l < LANES; l++) a[l] = (REAL)sqrt(a[l]); return a; }
#endif

#if LANES == 16
#define SHIFT_IDX 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
#define REV_IDX 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#elif LANES == 8
#define SHIFT_IDX 1, 2, 3, 4, 5, 6, 7, 8
#define REV_IDX 7, 6, 5, 4, 3, 2, 1, 0
#elif LANES == 4
#define SHIFT_IDX 1, 2, 3, 4
#define REV_IDX 3, 2, 1, 0
#else
#define SHIFT_IDX 1, 2
#define REV_IDX 1, 0
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define V_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define V_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif
// GCC folds an unaligned load into each of its uses and so repeats it; this keeps a loaded value in a register.
#if defined(__x86_64__)
#define V_KEEP(a) __asm__("" : "+v"(a))
#elif defined(__aarch64__)
#define V_KEEP(a) __asm__("" : "+w"(a))
#else
#define V_KEEP(a) (void)0
#endif
#define UNROLLED _Pragma("GCC unroll 16")

INLINE vf v_splat(REAL a) { return a - (vf){0}; }
INLINE vf v_load(const REAL *p) { return *(const vf_mem *)p; }
INLINE void v_store(REAL *p, vf a) { *(vf_mem *)p = a; }
INLINE vf v_select(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }
INLINE vf v_abs(vf a) { return (vf)((vu)a & ~((WORD)1 << (REAL_BITS - 1))); }
INLINE vf v_shift(vf a, vf next) { return V_SHUFFLE(a, next, SHIFT_IDX); }   // every lane gets the row above's value
INLINE vf v_reverse(vf a) { return V_SHUFFLE(a, a, REV_IDX); }
