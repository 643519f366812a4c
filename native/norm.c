/* Root-mean-square normalization of rows, or of groups side by side in a row, and its gradient. */
#include "kernels.h"
#include "vector.h"

/* sum of x[i] * y[i] */
static inline float dot(long n, const float *x, const float *y) {
  vec sum = {0};
  EACH_VECTOR(n, sum += load_some(x + i, lanes) * load_some(y + i, lanes););
  return sum_lanes(sum);
}

void NAME(rms_norm)(long rows, long heads, long n, const float *x, long ldx, const float *w, float epsilon, float *y,
                    long ldy, float *inverse) {
  for (long row = 0; row < rows; row++)
    for (long head = 0; head < heads; head++) {
      const float *in = x + row * ldx + head * n;
      float *out = y + row * ldy + head * n;
      const float factor = 1 / __builtin_sqrtf(dot(n, in, in) / (float)n + epsilon);
      EACH_VECTOR(n, store_some(out + i, load_some(w + i, lanes) * (load_some(in + i, lanes) * factor), lanes););
      if (inverse) inverse[row * heads + head] = factor;
    }
}

/* One group: dw += dy x inverse, and the sum of w dy x is returned. */
static inline float weight_gradient(long n, const float *x, const float *w, float inverse, const float *dy, float *dw) {
  vec sum = {0};
  EACH_VECTOR(n, {
    const vec product = load_some(dy + i, lanes) * load_some(x + i, lanes);
    sum += load_some(w + i, lanes) * product;
    if (dw) store_some(dw + i, load_some(dw + i, lanes) + product * inverse, lanes);
  });
  return sum_lanes(sum);
}

/* dx = inverse (w dy - x inverse^2 mean(w dy x)) */
void NAME(rms_norm_backward)(long rows, long heads, long n, const float *x, long ldx, const float *w,
                             const float *inverse, const float *dy, long lddy, float *dx, long lddx, int accumulate,
                             float *dw) {
  for (long row = 0; row < rows; row++)
    for (long head = 0; head < heads; head++) {
      const float *in = x + row * ldx + head * n, *dout = dy + row * lddy + head * n;
      float *din = dx + row * lddx + head * n;
      const float factor = inverse[row * heads + head];
      const float mean = weight_gradient(n, in, w, factor, dout, dw) / (float)n;
      const float of_x = factor * factor * factor * mean;
      EACH_VECTOR(n, {
        vec d = load_some(w + i, lanes) * load_some(dout + i, lanes) * factor - load_some(in + i, lanes) * of_x;
        if (accumulate) d += load_some(din + i, lanes);
        store_some(din + i, d, lanes);
      });
    }
}
