/* Vectors of the instruction set that this is compiled for: GCC's and Clang's vector extensions. */
#ifndef MUCODE_VECTOR_H
#define MUCODE_VECTOR_H
#include <stdint.h>

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
