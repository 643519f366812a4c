/* The table of commands, and those that are not of attention. */
#include "commands.h"

#include <stddef.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void run_gemm(Run *run) {
  Gemm g = {0};
  g.m = extent(run);
  g.n = extent(run);
  g.k = extent(run);
  g.alpha = number(run);
  g.transpose_a = integer(run) != 0;
  long mode = integer(run);
  if (mode < 0 || mode > 2) report(run, "no such right side");
  g.transpose_b = mode == 1;
  g.packed_b = mode == 2;
  g.a = rows_of(run, g.transpose_a ? g.k : g.m, g.transpose_a ? g.m : g.k, &g.lda);
  if (g.packed_b) {
    g.b = floats(run, run->kernels->packed_length(g.n, g.k));
  } else {
    g.b = rows_of(run, g.transpose_b ? g.n : g.k, g.transpose_b ? g.k : g.n, &g.ldb);
  }
  g.addend = rows_of(run, g.m, g.n, &g.ld_addend);
  g.bias = floats(run, g.n);
  g.c = rows_of(run, g.m, g.n, &g.ldc);
  require(run, g.a);
  require(run, g.b);
  require(run, g.c);
  run->flops += 2.0 * (double)g.m * (double)g.n * (double)g.k;
  if (run->problem == NULL && g.m > 0 && g.n > 0) run->kernels->gemm(&g, run->scratch);
}

static void run_pack(Run *run) {
  long n = extent(run), k = extent(run), transposed = integer(run), ldb;
  const float *b = rows_of(run, transposed ? n : k, transposed ? k : n, &ldb);
  float *packed = floats(run, run->kernels->packed_length(n, k));
  require(run, b);
  require(run, packed);
  if (run->problem == NULL) run->kernels->pack(n, k, b, ldb, transposed != 0, packed);
}

static void run_token_probabilities(Run *run) {
  long rows = extent(run), n = extent(run);
  float *logits = floats(run, rows * n);
  const float *inverse_temperatures = floats(run, rows);
  float *probabilities = floats(run, rows * n);
  require(run, logits);
  require(run, inverse_temperatures);
  require(run, probabilities);
  if (run->problem == NULL) run->kernels->token_probabilities(rows, n, logits, inverse_temperatures, probabilities);
}

/* Rows of `limit` that are picked or added to. */
static void run_gather_rows(Run *run) {
  long rows = extent(run), n = extent(run), limit = extent(run), ldx, ldy;
  const int32_t *indices = integers(run, rows);
  const float *x = rows_of(run, limit, n, &ldx);
  float *y = rows_of(run, rows, n, &ldy);
  require(run, indices);
  require(run, x);
  require(run, y);
  require_indices(run, indices, rows, limit);
  if (run->problem == NULL) run->kernels->gather_rows(rows, n, indices, x, ldx, y, ldy);
}

static void run_scatter_add_rows(Run *run) {
  long rows = extent(run), n = extent(run), limit = extent(run), ldx, ldy;
  const int32_t *indices = integers(run, rows);
  const float *x = rows_of(run, rows, n, &ldx);
  float *y = rows_of(run, limit, n, &ldy);
  require(run, indices);
  require(run, x);
  require(run, y);
  require_indices(run, indices, rows, limit);
  if (run->problem == NULL) run->kernels->scatter_add_rows(rows, n, indices, x, ldx, y, ldy);
}

static void run_rms_norm(Run *run) {
  long rows = extent(run), heads = positive_extent(run), n = positive_extent(run), ldx, ldy;
  float epsilon = number(run);
  const float *x = rows_of(run, rows, heads * n, &ldx);
  const float *w = floats(run, n);
  float *y = rows_of(run, rows, heads * n, &ldy);
  float *inverse = floats(run, rows * heads);
  require(run, x);
  require(run, w);
  require(run, y);
  if (run->problem == NULL) run->kernels->rms_norm(rows, heads, n, x, ldx, w, epsilon, y, ldy, inverse);
}

static void run_rms_norm_backward(Run *run) {
  long rows = extent(run), heads = positive_extent(run), n = positive_extent(run), accumulate = integer(run);
  long ldx, lddy, lddx;
  const float *x = rows_of(run, rows, heads * n, &ldx);
  const float *w = floats(run, n);
  const float *inverse = floats(run, rows * heads);
  const float *dy = rows_of(run, rows, heads * n, &lddy);
  float *dx = rows_of(run, rows, heads * n, &lddx);
  float *dw = floats(run, n);
  require(run, x);
  require(run, w);
  require(run, inverse);
  require(run, dy);
  require(run, dx);
  if (run->problem != NULL) return;
  run->kernels->rms_norm_backward(rows, heads, n, x, ldx, w, inverse, dy, lddy, dx, lddx, accumulate != 0, dw);
}

static void run_rotate(Run *run) {
  long rows = extent(run), heads = positive_extent(run), size = positive_extent(run), limit = extent(run), ldx;
  float direction = number(run);
  if (size % 2 != 0) report(run, "no such heads");
  float *x = rows_of(run, rows, heads * size, &ldx);
  const int32_t *positions = integers(run, rows);
  const float *cosine = floats(run, limit * (size / 2));
  const float *sine = floats(run, limit * (size / 2));
  require(run, x);
  require(run, positions);
  require(run, cosine);
  require(run, sine);
  require_indices(run, positions, rows, limit);
  if (run->problem == NULL) run->kernels->rotate(rows, heads, size, x, ldx, positions, cosine, sine, direction);
}

static void run_swiglu(Run *run) {
  long rows = extent(run), n = positive_extent(run), ldg, ldu, ldy;
  const float *gate = rows_of(run, rows, n, &ldg);
  const float *up = rows_of(run, rows, n, &ldu);
  float *y = rows_of(run, rows, n, &ldy);
  require(run, gate);
  require(run, up);
  require(run, y);
  if (run->problem == NULL) run->kernels->swiglu(rows, n, gate, ldg, up, ldu, y, ldy);
}

static void run_swiglu_backward(Run *run) {
  long rows = extent(run), n = positive_extent(run), ldg, ldu, lddy, lddg, lddu;
  const float *gate = rows_of(run, rows, n, &ldg);
  const float *up = rows_of(run, rows, n, &ldu);
  const float *dy = rows_of(run, rows, n, &lddy);
  float *dgate = rows_of(run, rows, n, &lddg);
  float *dup = rows_of(run, rows, n, &lddu);
  require(run, gate);
  require(run, up);
  require(run, dy);
  require(run, dgate);
  require(run, dup);
  if (run->problem != NULL) return;
  run->kernels->swiglu_backward(rows, n, gate, ldg, up, ldu, dy, lddy, dgate, lddg, dup, lddu);
}

static void run_cross_entropy(Run *run) {
  long rows = extent(run), n = extent(run), ld;
  float *logits = rows_of(run, rows, n, &ld);
  const int32_t *targets = integers(run, rows);
  const float *weights = floats(run, rows);
  float *values = floats(run, rows);
  require(run, logits);
  require(run, targets);
  require(run, values);
  require_indices(run, targets, rows, n);
  if (run->problem == NULL) run->kernels->cross_entropy(rows, n, logits, ld, targets, weights, values);
}

static void run_add_column_sums(Run *run) {
  long rows = extent(run), n = positive_extent(run), ldx;
  const float *x = rows_of(run, rows, n, &ldx);
  float *y = floats(run, n);
  require(run, x);
  require(run, y);
  if (run->problem == NULL) run->kernels->add_column_sums(rows, n, x, ldx, y);
}

static void run_adamw(Run *run) {
  AdamW a = {.n = extent(run)};
  a.weights = floats(run, a.n);
  a.gradient = floats(run, a.n);
  a.moment1 = floats(run, a.n);
  a.moment2 = floats(run, a.n);
  a.learning_rate = number(run);
  a.keep = number(run);
  a.beta1 = number(run);
  a.one_minus_beta1 = number(run);
  a.beta2 = number(run);
  a.one_minus_beta2 = number(run);
  a.correction1 = number(run);
  a.correction2 = number(run);
  a.epsilon = number(run);
  a.gradient_scale = number(run);
  require(run, a.weights);
  require(run, a.gradient);
  require(run, a.moment1);
  require(run, a.moment2);
  if (run->problem == NULL) run->kernels->adamw(&a);
}

static void run_square(Run *run) {
  long n = extent(run);
  const float *x = floats(run, n);
  double *sum = doubles(run, 1);
  require(run, x);
  require(run, sum);
  if (run->problem == NULL) *sum = run->kernels->square(n, x);
}

static void run_add_and_square(Run *run) {
  long n = extent(run);
  const float *x = floats(run, n);
  float *y = floats(run, n);
  double *sum = doubles(run, 1);
  require(run, x);
  require(run, y);
  require(run, sum);
  if (run->problem == NULL) *sum = run->kernels->add_and_square(n, x, y);
}

static void run_fill(Run *run) {
  long rows = extent(run), n = positive_extent(run), ld;
  float value = number(run);
  float *x = rows_of(run, rows, n, &ld);
  require(run, x);
  if (run->problem != NULL) return;
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < n; j++) x[i * ld + j] = value;
}

const Command commands[] = {
    {"gemm", run_gemm},
    {"pack", run_pack},
    {"attention", run_attention},
    {"attentionBackward", run_attention_backward},
    {"cacheWrite", run_cache_write},
    {"decodeAttention", run_decode_attention},
    {"tokenProbabilities", run_token_probabilities},
    {"gatherRows", run_gather_rows},
    {"scatterAddRows", run_scatter_add_rows},
    {"rmsNorm", run_rms_norm},
    {"rmsNormBackward", run_rms_norm_backward},
    {"rotate", run_rotate},
    {"swiglu", run_swiglu},
    {"swigluBackward", run_swiglu_backward},
    {"crossEntropy", run_cross_entropy},
    {"addColumnSums", run_add_column_sums},
    {"adamw", run_adamw},
    {"square", run_square},
    {"addAndSquare", run_add_and_square},
    {"fill", run_fill},
};
const int command_count = sizeof commands / sizeof commands[0];

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Runs a command and adds what it took to `profile`. */
static void run_observed(Run *run, long command, double *profile) {
  double start = seconds(), flops = run->flops;
  commands[command].run(run);
  profile[2 * command] += seconds() - start;
  profile[2 * command + 1] += run->flops - flops;
}

/* Results are in flushed arithmetic: denormals, which are slow and mean nothing here, count as 0. */
const char *run_commands(Run *run, double *profile) {
  const char *name = NULL;
#if defined(__x86_64__)
  unsigned control = _mm_getcsr();
  _mm_setcsr(control | 0x8040);
#endif
  while (run->next < run->end && run->problem == NULL) {
    name = "a command";
    long command = integer(run);
    if (command < 0 || command >= command_count) {
      report(run, "no such command");
    } else if (run->problem == NULL) {
      name = commands[command].name;
      if (profile == NULL) commands[command].run(run);
      else run_observed(run, command, profile);
    }
  }
#if defined(__x86_64__)
  _mm_setcsr(control);
#endif
  return run->problem == NULL ? NULL : name;
}
