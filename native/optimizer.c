/* What is done to all gradients and weights at a step of training. Bound by memory: one pass each. */
#include "kernels.h"
#include "vector.h"

/*
 * With g = gradient_scale gradient: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * w = keep w - learning_rate (m correction1) / (sqrt(v correction2) + epsilon).
 * Loshchilov and Hutter, "Decoupled Weight Decay Regularization", algorithm 2.
 */
void NAME(adamw)(const AdamW *step) {
  const AdamW s = *step;
  EACH_VECTOR(s.n, {
    const vec g = load_some(s.gradient + i, lanes) * s.gradient_scale;
    const vec m = load_some(s.moment1 + i, lanes) * s.beta1 + g * s.one_minus_beta1;
    const vec v = load_some(s.moment2 + i, lanes) * s.beta2 + g * g * s.one_minus_beta2;
    store_some(s.moment1 + i, m, lanes);
    store_some(s.moment2 + i, v, lanes);
    const vec change = m * s.correction1 * s.learning_rate / (sqrt_vec(v * s.correction2) + s.epsilon);
    store_some(s.weights + i, load_some(s.weights + i, lanes) * s.keep - change, lanes);
  });
}

/* Half as many lanes, in double precision. */
typedef double wide __attribute__((vector_size(4 * LANES)));

/* The lower half of the lanes, and the upper. GCC 12 makes a detour of the general form. */
static inline void widen(vec v, wide halves[2]) {
#if LANES == 16
  halves[0] = (wide)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)v));
  halves[1] = (wide)_mm512_cvtps_pd((__m256)_mm512_extractf64x4_pd((__m512d)v, 1));
#else
  halves[0] = (wide)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)v));
  halves[1] = (wide)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)v, 1));
#endif
}

/* v^2 is added, half by half. */
static inline void add_squares(wide sum[2], vec v) {
  wide halves[2];
  widen(v, halves);
  for (int j = 0; j < 2; j++) sum[j] += halves[j] * halves[j];
}

static inline double total(const wide sum[2]) {
  const wide both = sum[0] + sum[1];
  double result = 0;
  for (int i = 0; i < LANES / 2; i++) result += both[i];
  return result;
}

double NAME(add_and_square)(long n, const float *x, float *y) {
  wide sum[2] = {{0}, {0}};
  EACH_VECTOR(n, {
    const vec v = load_some(y + i, lanes) + load_some(x + i, lanes);
    store_some(y + i, v, lanes);
    add_squares(sum, v);
  });
  return total(sum);
}

double NAME(square)(long n, const float *x) {
  wide sum[2] = {{0}, {0}};
  EACH_VECTOR(n, add_squares(sum, load_some(x + i, lanes)););
  return total(sum);
}
