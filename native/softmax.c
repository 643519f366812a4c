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
  vec most[4]; /* four, so that one comparison need not wait for the one before */
  for (int j = 0; j < 4; j++) most[j] = splat(-__builtin_inff());
  long done = 0;
  for (; done + 4 * LANES <= n; done += 4 * LANES)
    for (int j = 0; j < 4; j++) most[j] = max_vec(most[j], load(x + done + j * LANES));
  EACH_VECTOR(n - done, most[0] = max_vec(most[0], load_or_least(x + done + i, lanes)););
  return max_lanes(max_vec(max_vec(most[0], most[1]), max_vec(most[2], most[3])));
}

/* Terms whose sum is taken in single precision: sums of these are in double precision, exact for any vocabulary. */
#define CHUNK (16 * LANES)

/* The sum of exp((x - most) coldness); the terms are written to terms unless that is NULL. */
static inline double sum_exponentials(long n, const float *x, float most, float coldness, float *terms) {
  double total = 0;
  for (long start = 0; start < n; start += CHUNK) {
    const long length = n - start < CHUNK ? n - start : CHUNK;
    vec sum = {0};
    EACH_VECTOR(length, {
      const vec e = exp_vec((load_or_least(x + start + i, lanes) - most) * coldness);
      sum += e;
      if (terms) store_some(terms + start + i, e, lanes);
    });
    total += sum_lanes(sum);
  }
  return total;
}

static inline void multiply(long n, float *x, float factor) {
  EACH_VECTOR(n, store_some(x + i, load_some(x + i, lanes) * factor, lanes););
}

void NAME(cross_entropy)(long rows, long n, float *logits, long ld, const int32_t *targets, const float *weights,
                         float *values) {
  for (long row = 0; row < rows; row++) {
    float *x = logits + row * ld;
    const float most = largest(n, x), chosen = x[targets[row]];
    const double sum = weights ? sum_exponentials(n, x, most, 1, x) : sum_exponentials(n, x, most, 1, NULL);
    values[row] = (float)((double)chosen - most - log_double(sum));
    if (!weights) continue;
    multiply(n, x, (float)(weights[row] / sum));
    x[targets[row]] -= weights[row];
  }
}

void NAME(token_probabilities)(long rows, long n, float *logits, const float *inverse_temperatures,
                               float *probabilities) {
  for (long row = 0; row < rows; row++) {
    float *x = logits + row * n, *p = probabilities + row * n;
    const float most = largest(n, x), coldness = inverse_temperatures[row];
    const double drawn = sum_exponentials(n, x, most, coldness, p);
    const double sum = coldness == 1 ? drawn : sum_exponentials(n, x, most, 1, NULL);
    const float log_sum = (float)log_double(sum);
    EACH_VECTOR(n, store_some(x + i, load_some(x + i, lanes) - most - log_sum, lanes););
    multiply(n, p, (float)(1 / drawn));
  }
}
