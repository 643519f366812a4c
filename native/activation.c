/* The gated activation of the feed-forward layers, y = silu(gate) up, silu(x) = x / (1 + exp(-x)), and its gradient. */
#include "kernels.h"
#include "vector.h"

void NAME(swiglu)(long rows, long n, const float *gate, long ldg, const float *up, long ldu, float *y, long ldy) {
  for (long row = 0; row < rows; row++) {
    const float *g = gate + row * ldg, *u = up + row * ldu;
    float *out = y + row * ldy;
    EACH_VECTOR(n, {
      const vec x = load_some(g + i, lanes);
      store_some(out + i, x / (1 + exp_vec(-x)) * load_some(u + i, lanes), lanes);
    });
  }
}

/* silu'(x) = s (1 + x (1 - s)) with s = 1 / (1 + exp(-x)) and 1 - s = exp(-x) s. */
void NAME(swiglu_backward)(long rows, long n, const float *gate, long ldg, const float *up, long ldu, const float *dy,
                           long lddy, float *dgate, long lddg, float *dup, long lddu) {
  for (long row = 0; row < rows; row++) {
    const float *g = gate + row * ldg, *u = up + row * ldu, *d = dy + row * lddy;
    float *dg = dgate + row * lddg, *du = dup + row * lddu;
    EACH_VECTOR(n, {
      const vec x = load_some(g + i, lanes), e = exp_vec(-x), s = 1 / (1 + e);
      const vec upward = load_some(u + i, lanes), dout = load_some(d + i, lanes);
      store_some(dg + i, dout * upward * (s + s * x * (e * s)), lanes);
      store_some(du + i, dout * (x * s), lanes);
    });
  }
}
