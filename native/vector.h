/* Vectors of the instruction set that this is compiled for: GCC's and Clang's vector extensions. */
#ifndef MUCODE_VECTOR_H
#define MUCODE_VECTOR_H
#include <stdint.h>
#include <string.h>
#include <immintrin.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#error "AVX2 or AVX-512"
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
#else
static inline ivec first_lanes(long lanes) { return (ivec){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)lanes; }
static inline vec load_some(const float *x, long lanes) {
  return lanes >= LANES ? load(x) : (vec)_mm256_maskload_ps(x, (__m256i)first_lanes(lanes));
}
static inline void store_some(float *x, vec v, long lanes) {
  if (lanes >= LANES) store(x, v);
  else _mm256_maskstore_ps(x, (__m256i)first_lanes(lanes), (__m256)v);
}
static inline vec sqrt_vec(vec v) { return (vec)_mm256_sqrt_ps((__m256)v); }
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

/* In halves: of 16 lanes, i and i + 8; of the 8 sums, i and i + 4; of those, i and i + 2; and the last two. */
static inline float sum_lanes(vec v) {
#if LANES == 16
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m128 low = _mm512_castps512_ps128((__m512)v);
  const __m128 four = low + _mm_castsi128_ps(_mm512_extracti32x4_epi32((__m512i)v, 1));
#else
  const __m128 four = _mm256_castps256_ps128((__m256)v) + _mm256_extractf128_ps((__m256)v, 1);
#endif
  return (four[0] + four[2]) + (four[1] + four[3]);
}

/* Per lane, a where the mask is all ones, b where it is 0. */
static inline vec choose(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

/* Where either is not a number: b. */
static inline vec max_vec(vec a, vec b) {
#if LANES == 16
  return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#else
  return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#endif
}
static inline vec min_vec(vec a, vec b) {
#if LANES == 16
  return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#else
  return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#endif
}

static inline float max_lanes(vec v) {
#if LANES == 16
  v = max_vec(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  v = max_vec(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
#else
  v = max_vec(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7));
#endif
  float most = v[0];
  for (int i = 1; i < 4; i++) most = v[i] > most ? v[i] : most;
  return most;
}

/*
 * exp(x), within about 2 units in the last place; 0 below -87.3. x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by its series up
 * to r^7.
 */
static inline vec exp_vec(vec x) {
  const vec low = splat(-87.33f), high = splat(88.7f);
  ivec tiny = x < low;
  x = min_vec(high, max_vec(low, x));
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
