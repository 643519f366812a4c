/* Root-mean-square normalization of rows, or of groups side by side in a row, and its gradient. */
#include "kernels.h"
#include "vector.h"

/* The sum of w x y, w being 1 when it is NULL. Four sums, so that one addition need not wait for the one before. */
static inline float dot(long n, const float *w, const float *x, const float *y) {
  vec sum[4] = {{0}, {0}, {0}, {0}};
  long done = 0;
  for (; done + 4 * LANES <= n; done += 4 * LANES)
    for (int j = 0; j < 4; j++) {
      const long i = done + j * LANES;
      sum[j] += (w ? load(w + i) * load(x + i) : load(x + i)) * load(y + i);
    }
  x += done, y += done;
  EACH_VECTOR(n - done, {
    const vec v = load_some(x + i, lanes);
    sum[0] += (w ? load_some(w + done + i, lanes) * v : v) * load_some(y + i, lanes);
  });
  return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

void NAME(rms_norm)(long rows, long heads, long n, const float *x, long ldx, const float *w, float epsilon, float *y,
                    long ldy, float *inverse) {
  for (long row = 0; row < rows; row++)
    for (long head = 0; head < heads; head++) {
      const float *in = x + row * ldx + head * n;
      float *out = y + row * ldy + head * n;
      const float factor = 1 / __builtin_sqrtf(dot(n, NULL, in, in) / (float)n + epsilon);
      EACH_VECTOR(n, store_some(out + i, load_some(w + i, lanes) * (load_some(in + i, lanes) * factor), lanes););
      if (inverse) inverse[row * heads + head] = factor;
    }
}

/* dx = inverse (w dy - x inverse^2 mean(w dy x)); dw = the sum over rows and groups of dy x inverse. */
void NAME(rms_norm_backward)(long rows, long heads, long n, const float *x, long ldx, const float *w,
                             const float *inverse, const float *dy, long lddy, float *dx, long lddx, int accumulate,
                             float *dw) {
  for (long row = 0; row < rows; row++)
    for (long head = 0; head < heads; head++) {
      const float *in = x + row * ldx + head * n, *dout = dy + row * lddy + head * n;
      float *din = dx + row * lddx + head * n;
      const float factor = inverse[row * heads + head];
      const float of_x = factor * factor * factor * dot(n, w, in, dout) / (float)n;
      EACH_VECTOR(n, {
        const vec v = load_some(in + i, lanes), d = load_some(dout + i, lanes) * factor;
        vec gradient = load_some(w + i, lanes) * d - v * of_x;
        if (accumulate) gradient += load_some(din + i, lanes);
        if (dw) store_some(dw + i, load_some(dw + i, lanes) + d * v, lanes);
        store_some(din + i, gradient, lanes);
      });
    }
}
