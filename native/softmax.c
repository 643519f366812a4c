/* Over rows of logits: the loss of training and its gradient, and the probabilities that tokens are drawn with. */
#include "kernels.h"
#include "scalar.h"
#include "vector.h"

/* Lanes beyond the first, which load_some has made 0, as minus infinity instead. */
static inline vec load_or_least(const float *x, long lanes) {
  if (lanes >= LANES) return load(x);
  float all[LANES];
  store(all, load_some(x, lanes));
  for (long i = lanes; i < LANES; i++) all[i] = -__builtin_inff();
  return load(all);
}

static inline float largest(long n, const float *x) {
  vec most = splat(-__builtin_inff());
  EACH_VECTOR(n, most = max_vec(most, load_or_least(x + i, lanes)););
  return max_lanes(most);
}

/* The sum of exp(x - most); the terms are written to terms unless that is NULL. */
static inline float sum_exponentials(long n, const float *x, float most, float *terms) {
  vec sum = {0};
  EACH_VECTOR(n, {
    const vec e = exp_vec(load_or_least(x + i, lanes) - most);
    sum += e;
    if (terms) store_some(terms + i, e, lanes);
  });
  return sum_lanes(sum);
}

static inline void multiply(long n, float *x, float factor) {
  EACH_VECTOR(n, store_some(x + i, load_some(x + i, lanes) * factor, lanes););
}

void NAME(cross_entropy)(long rows, long n, float *logits, long ld, const int32_t *targets, const float *weights,
                         float *values) {
  for (long row = 0; row < rows; row++) {
    float *x = logits + row * ld;
    const float most = largest(n, x), chosen = x[targets[row]];
    const float sum = weights ? sum_exponentials(n, x, most, x) : sum_exponentials(n, x, most, NULL);
    values[row] = (float)((double)chosen - most - log_double(sum));
    if (!weights) continue;
    multiply(n, x, weights[row] / sum);
    x[targets[row]] -= weights[row];
  }
}

void NAME(token_probabilities)(long rows, long n, float *logits, const float *inverse_temperatures,
                               float *probabilities) {
  for (long row = 0; row < rows; row++) {
    float *x = logits + row * n, *p = probabilities + row * n;
    const float most = largest(n, x), coldness = inverse_temperatures[row];
    const float sum = sum_exponentials(n, x, most, p);
    float drawn = sum;
    if (coldness != 1) {
      vec total = {0};
      EACH_VECTOR(n, {
        const vec e = exp_vec((load_or_least(x + i, lanes) - most) * coldness);
        total += e;
        store_some(p + i, e, lanes);
      });
      drawn = sum_lanes(total);
    }
    const float log_sum = log_scalar(sum);
    EACH_VECTOR(n, store_some(x + i, load_some(x + i, lanes) - most - log_sum, lanes););
    multiply(n, p, 1 / drawn);
  }
}
