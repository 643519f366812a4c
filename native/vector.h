/* Vectors of the instruction set that this is compiled for: GCC's and Clang's vector extensions. */
#ifndef MUCODE_VECTOR_H
#define MUCODE_VECTOR_H
#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

static inline vec load(const float *x) { return *(const vec_unaligned *)x; }
static inline void store(float *x, vec v) { *(vec_unaligned *)x = v; }
/* The first lanes alone, 1 to LANES of them: nothing beyond is touched in memory, and the others are loaded as 0. */
#if defined(__AVX512F__)
static inline vec load_some(const float *x, long lanes) {
  return lanes >= LANES ? load(x) : (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), x);
}
static inline void store_some(float *x, vec v, long lanes) {
  if (lanes >= LANES) store(x, v);
  else _mm512_mask_storeu_ps(x, (__mmask16)((1u << lanes) - 1), (__m512)v);
}
static inline vec sqrt_vec(vec v) { return (vec)_mm512_sqrt_ps((__m512)v); }
#elif defined(__AVX2__)
static inline ivec first_lanes(long lanes) { return (ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)lanes; }
static inline vec load_some(const float *x, long lanes) {
  return lanes >= LANES ? load(x) : (vec)_mm256_maskload_ps(x, (__m256i)first_lanes(lanes));
}
static inline void store_some(float *x, vec v, long lanes) {
  if (lanes >= LANES) store(x, v);
  else _mm256_maskstore_ps(x, (__m256i)first_lanes(lanes), (__m256)v);
}
static inline vec sqrt_vec(vec v) { return (vec)_mm256_sqrt_ps((__m256)v); }
#else
static inline vec load_some(const float *x, long lanes) {
  vec v = {0};
  memcpy(&v, x, sizeof(float) * (size_t)(lanes < LANES ? lanes : LANES));
  return v;
}
static inline void store_some(float *x, vec v, long lanes) {
  memcpy(x, &v, sizeof(float) * (size_t)(lanes < LANES ? lanes : LANES));
}
static inline vec sqrt_vec(vec v) {
  for (int i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
}
#endif

/*
 * The statements, for i = 0, LANES, 2 LANES .. below n: with lanes = LANES, a constant, which makes load_some and
 * store_some plain, and once more with the remainder.
 */
#define EACH_VECTOR(n, ...) \
  do { \
    long i = 0; \
    for (; i + LANES <= (n); i += LANES) { \
      const long lanes = LANES; \
      __VA_ARGS__ \
    } \
    if (i < (n)) { \
      const long lanes = (n) - i; \
      __VA_ARGS__ \
    } \
  } while (0)

static inline vec splat(float x) { return x - (vec){0}; }

static inline float sum_lanes(vec v) {
  float lanes[LANES];
  store(lanes, v);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

/* Per lane, a where the mask is all ones, b where it is 0. */
static inline vec choose(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

static inline vec max_vec(vec a, vec b) { return choose(a > b, a, b); }

/*
 * exp(x), within about 2 units in the last place; 0 below -87.3. x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by its series up to r^7.
 */
static inline vec exp_vec(vec x) {
  const vec low = splat(-87.33f), high = splat(88.7f);
  ivec tiny = x < low;
  x = choose(tiny, low, x);
  x = choose(x > high, high, x);
  vec n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to an integer */
  ivec exponent = (ivec)n << 23;
  n -= 12582912.0f;
  vec r = x - n * 0.693145752f;
  r -= n * 1.42860677e-6f;
  vec p = splat(1.9841270e-4f);
  p = p * r + 1.3888889e-3f;
  p = p * r + 8.3333333e-3f;
  p = p * r + 4.1666667e-2f;
  p = p * r + 1.6666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  vec y = (vec)((ivec)p + exponent);
  return choose(tiny, (vec){0}, y);
}

#endif
