/* Causal attention, plainly: one query row at a time. */
#include "kernels.h"
#include "vector.h"

static float log_float(float x) {
  union { float f; uint32_t u; } bits = {x};
  int exponent = (int32_t)(bits.u - 0x3f3504f3) >> 23;
  bits.u -= (uint32_t)exponent << 23;
  double z = (bits.f - 1.0) / (bits.f + 1.0), square = z * z, sum = 0;
  for (int i = 15; i > 0; i -= 2) sum = sum * square + 2.0 / i;
  return (float)(exponent * 0.6931471805599453 + z * sum);
}

static float exp_float(float x) { return exp_vec(splat(x))[0]; }

static float dot(const float *a, const float *b, long n) {
  vec sum = {0};
  long i = 0;
  for (; i + LANES <= n; i += LANES) sum += load(a + i) * load(b + i);
  float rest = sum_lanes(sum);
  for (; i < n; i++) rest += a[i] * b[i];
  return rest;
}

static void add(float *y, float w, const float *x, long n) {
  for (long i = 0; i < n; i++) y[i] += w * x[i];
}

void NAME(attention)(const Attention *a, float *scratch) {
  for (long s = 0; s < a->sequences; s++)
    for (long h = 0; h < a->heads; h++)
      for (long i = a->starts[s]; i < a->starts[s + 1]; i++) {
        long kv = h / (a->heads / a->kv_heads) * a->size, keys = i - a->starts[s] + 1;
        float *score = scratch, *out = a->out + i * a->ldo + h * a->size, most = -3e38f, sum = 0;
        for (long j = 0; j < keys; j++) {
          score[j] = a->scale * dot(a->q + i * a->ldq + h * a->size, a->k + (a->starts[s] + j) * a->ldk + kv, a->size);
          if (score[j] > most) most = score[j];
        }
        for (long j = 0; j < keys; j++) sum += score[j] = exp_float(score[j] - most);
        for (long d = 0; d < a->size; d++) out[d] = 0;
        for (long j = 0; j < keys; j++) add(out, score[j] / sum, a->v + (a->starts[s] + j) * a->ldv + kv, a->size);
        if (a->lse) a->lse[i * a->heads + h] = most + log_float(sum);
      }
}

void NAME(attention_backward)(const AttentionBackward *b, float *scratch) {
  const Attention *a = &b->forward;
  (void)scratch;
  for (long i = a->starts[0]; i < a->starts[a->sequences]; i++) {
    for (long d = 0; d < a->heads * a->size; d++) b->dq[i * b->lddq + d] = 0;
    for (long d = 0; d < a->kv_heads * a->size; d++) b->dk[i * b->lddk + d] = b->dv[i * b->lddv + d] = 0;
  }
  for (long s = 0; s < a->sequences; s++)
    for (long h = 0; h < a->heads; h++)
      for (long i = a->starts[s]; i < a->starts[s + 1]; i++) {
        long kv = h / (a->heads / a->kv_heads) * a->size, head = h * a->size;
        const float *q = a->q + i * a->ldq + head, *dout = b->dout + i * b->lddo + head;
        float mean = dot(dout, a->out + i * a->ldo + head, a->size);
        for (long j = a->starts[s]; j <= i; j++) {
          const float *k = a->k + j * a->ldk + kv;
          float p = exp_float(a->scale * dot(q, k, a->size) - a->lse[i * a->heads + h]);
          float ds = a->scale * p * (dot(dout, a->v + j * a->ldv + kv, a->size) - mean);
          add(b->dq + i * b->lddq + head, ds, k, a->size);
          add(b->dk + j * b->lddk + kv, ds, q, a->size);
          add(b->dv + j * b->lddv + kv, p, dout, a->size);
        }
      }
}
