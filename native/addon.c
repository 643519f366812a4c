/*
 * The Node-API addon: runs a list of kernel commands over typed arrays. A command is its number and its arguments, all
 * doubles; where memory is meant, the number of a typed array in the list given with the program, and an offset in it in
 * elements (array -1: NULL). Every extent is checked before a kernel runs, so that a wrong program is an error, not a
 * corrupted process.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
extern const Kernels kernels_avx2, kernels_avx512;
extern const Kernels kernels_amx __attribute__((weak));
#endif

/* Kernel sets that this processor has, fastest first. */
static const Kernels *sets[4];
static int set_count;

#if defined(__x86_64__)
/* Whether the processor has bfloat16 tiles and the kernel lets this process use them. */
static int request_tiles(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const unsigned tile = 1u << 24, bf16 = 1u << 22;
  if ((d & tile) == 0 || (d & bf16) == 0) return 0;
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* Once, when the addon is loaded into the process: threads then find the sets made. */
__attribute__((constructor)) static void find_sets(void) {
  __builtin_cpu_init();
  int has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && &kernels_amx != NULL && request_tiles()) sets[set_count++] = &kernels_amx;
  if (has_avx512) sets[set_count++] = &kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    sets[set_count++] = &kernels_avx2;
}
#endif

/* What one typed array given with a program is. Detached ones, like all others without elements, have length 0. */
typedef struct {
  napi_value array;
  char *data;
  long length;
  napi_typedarray_type type;
} Buffer;

/* A program being run. */
typedef struct {
  const Kernels *kernels;
  float *scratch;
  const Buffer *buffers;
  long buffer_count;
  const double *next, *end;
  const char *problem; /* of the command being read; NULL if none */
  double flops;        /* of the products run so far */
} Run;

/* The first problem is the one that is told: what is read after it may make no sense. */
static void report(Run *run, const char *problem) {
  if (run->problem == NULL) run->problem = problem;
}

static long integer(Run *run) {
  if (run->next >= run->end) {
    report(run, "arguments are missing");
    return 0;
  }
  double value = *run->next++;
  /* Beyond 2^53, and for what is not a number, a conversion would not be defined, or not be exact. */
  if (!(value >= -0x1p53 && value <= 0x1p53) || (double)(long)value != value) {
    report(run, "a number is not an integer");
    return 0;
  }
  return (long)value;
}

static float number(Run *run) {
  if (run->next >= run->end) {
    report(run, "arguments are missing");
    return 0;
  }
  return (float)*run->next++;
}

/* Small enough that products of two do not overflow. */
#define MOST_EXTENT (1L << 30)

/* An extent: not negative. */
static long extent(Run *run) {
  long value = integer(run);
  if (value < 0 || value > MOST_EXTENT) {
    report(run, "an extent is out of range");
    return 0;
  }
  return value;
}

/* An extent that is not 0, either: of heads, or where work would not be bounded by the memory that it is given. */
static long positive_extent(Run *run) {
  long value = extent(run);
  if (value == 0) report(run, "an extent is out of range");
  return value;
}

/* The length of a head. */
static long head_size(Run *run) {
  long value = positive_extent(run);
  if (value > MOST_HEAD_SIZE) report(run, "a head is too long");
  return value;
}

static void *memory(Run *run, napi_typedarray_type type, long width, long length) {
  long which = integer(run), offset = integer(run);
  if (which == -1) return NULL;
  if (run->problem != NULL) return NULL;
  if (which < 0 || which >= run->buffer_count) {
    report(run, "no such array");
    return NULL;
  }
  const Buffer *buffer = &run->buffers[which];
  if (buffer->type != type) {
    report(run, "an array has another type");
    return NULL;
  }
  if (offset < 0 || length < 0 || offset > buffer->length || length > buffer->length - offset) {
    report(run, "an array is too short");
    return NULL;
  }
  static char nothing; /* where arrays without elements, whose data may be NULL, have theirs */
  return buffer->length == 0 ? &nothing : buffer->data + offset * width;
}

static float *floats(Run *run, long length) { return memory(run, napi_float32_array, 4, length); }
static const int32_t *integers(Run *run, long length) { return memory(run, napi_int32_array, 4, length); }
static double *doubles(Run *run, long length) { return memory(run, napi_float64_array, 8, length); }

/* A matrix's rows: the distance between them comes before the memory. */
static float *rows_of(Run *run, long rows, long columns, long *ld) {
  *ld = extent(run);
  float *first = floats(run, rows == 0 || columns == 0 ? 0 : (rows - 1) * *ld + columns);
  if (first != NULL && rows > 1 && *ld < columns) report(run, "rows overlap");
  return first;
}

/* Memory that a kernel cannot do without. */
static void require(Run *run, const void *pointer) {
  if (pointer == NULL) report(run, "an array is missing");
}

static void require_indices(Run *run, const int32_t *indices, long count, long limit) {
  if (run->problem != NULL || indices == NULL) return;
  for (long i = 0; i < count; i++) {
    if (indices[i] < 0 || indices[i] >= limit) {
      report(run, "an index is out of range");
      return;
    }
  }
}

/* Where runs of rows begin, and where the last one ends. */
static void require_order(Run *run, const int32_t *starts, long count, const char *problem) {
  if (run->problem != NULL) return;
  if (starts[0] < 0) report(run, problem);
  for (long i = 0; i < count; i++)
    if (starts[i] > starts[i + 1]) report(run, problem);
}

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

/* Query heads in equal groups, and rows of heads whose columns have 32-bit numbers. */
static void require_heads(Run *run, long heads, long kv_heads, long size) {
  if (run->problem == NULL && (heads % kv_heads != 0 || heads * size > INT32_MAX)) report(run, "no such heads");
}

static Attention read_attention(Run *run) {
  Attention a = {.sequences = extent(run)};
  a.starts = integers(run, a.sequences + 1);
  a.heads = positive_extent(run);
  a.kv_heads = positive_extent(run);
  a.size = head_size(run);
  a.scale = number(run);
  require(run, a.starts);
  require_heads(run, a.heads, a.kv_heads, a.size);
  require_order(run, a.starts, a.sequences, "sequences are not in order");
  if (run->problem != NULL) return a;
  long rows = a.starts[a.sequences];
  a.q = rows_of(run, rows, a.heads * a.size, &a.ldq);
  a.k = rows_of(run, rows, a.kv_heads * a.size, &a.ldk);
  a.v = rows_of(run, rows, a.kv_heads * a.size, &a.ldv);
  a.out = rows_of(run, rows, a.heads * a.size, &a.ldo);
  a.lse = floats(run, rows * a.heads);
  require(run, a.q);
  require(run, a.k);
  require(run, a.v);
  require(run, a.out);
  return a;
}

static void run_attention(Run *run) {
  Attention a = read_attention(run);
  if (run->problem == NULL) run->kernels->attention(&a, run->scratch);
}

static void run_attention_backward(Run *run) {
  AttentionBackward b = {.forward = read_attention(run)};
  if (run->problem != NULL) return;
  const Attention *a = &b.forward;
  long rows = a->starts[a->sequences];
  b.dout = rows_of(run, rows, a->heads * a->size, &b.lddo);
  b.dq = rows_of(run, rows, a->heads * a->size, &b.lddq);
  b.dk = rows_of(run, rows, a->kv_heads * a->size, &b.lddk);
  b.dv = rows_of(run, rows, a->kv_heads * a->size, &b.lddv);
  require(run, a->lse);
  require(run, b.dout);
  require(run, b.dq);
  require(run, b.dk);
  require(run, b.dv);
  if (run->problem == NULL) run->kernels->attention_backward(&b, run->scratch);
}

/* The pages and how many there are. */
static PagedCache read_cache(Run *run, long *pages) {
  *pages = extent(run);
  PagedCache c = {.layers = extent(run)};
  c.layer = extent(run);
  c.kv_heads = positive_extent(run);
  c.size = head_size(run);
  if (c.layer >= c.layers) report(run, "no such layer");
  long length;
  if (__builtin_mul_overflow(*pages * c.layers, c.kv_heads * c.size * 2 * PAGE, &length))
    report(run, "an array is too short");
  c.pages = floats(run, length);
  require(run, c.pages);
  return c;
}

static void run_cache_write(Run *run) {
  long pages, rows, ldk, ldv;
  PagedCache cache = read_cache(run, &pages);
  rows = extent(run);
  const int32_t *places = integers(run, rows);
  const float *k = rows_of(run, rows, cache.kv_heads * cache.size, &ldk);
  const float *v = rows_of(run, rows, cache.kv_heads * cache.size, &ldv);
  require(run, places);
  require(run, k);
  require(run, v);
  require_indices(run, places, rows, pages * PAGE);
  if (run->problem == NULL) run->kernels->cache_write(&cache, rows, places, k, ldk, v, ldv);
}

/* Each list of pages, `most` long, must hold as many pages of the cache as its length, of at least `least`, needs. */
static void require_pages(Run *run, const int32_t *lists, long most, const int32_t *lengths, long least, long count,
                          long pages) {
  for (long i = 0; i < count && run->problem == NULL; i++) {
    long used = (lengths[i] + (PAGE - 1L)) / PAGE;
    if (lengths[i] < least) report(run, "a sequence has no such length");
    else if (used > most) report(run, "a sequence has more positions than pages");
    else require_indices(run, lists + i * most, used, pages);
  }
}

/* The kernel has the scores of at least one query, of all positions that it sees, in its working memory. */
static void require_room_for_scores(Run *run, const DecodeAttention *d) {
  if (run->problem != NULL) return;
  for (long g = 0; g < d->groups; g++)
    for (long row = d->group_starts[g]; row < d->group_starts[g + 1]; row++)
      if ((long)d->prompt_lengths[g] + d->own_lengths[row] + 2 * PAGE + 2 * d->cache.size > SCRATCH_FLOATS)
        report(run, "a sequence is too long");
}

static void run_decode_attention(Run *run) {
  long pages;
  DecodeAttention d = {.cache = read_cache(run, &pages)};
  d.groups = extent(run);
  d.group_starts = integers(run, d.groups + 1);
  d.most_prompt_pages = extent(run);
  d.prompt_pages = integers(run, d.groups * d.most_prompt_pages);
  d.prompt_lengths = integers(run, d.groups);
  d.most_own_pages = extent(run);
  require(run, d.group_starts);
  require(run, d.prompt_pages);
  require(run, d.prompt_lengths);
  require_order(run, d.group_starts, d.groups, "groups are not in order");
  if (run->problem != NULL) return;
  long rows = d.group_starts[d.groups];
  d.own_pages = integers(run, rows * d.most_own_pages);
  d.own_lengths = integers(run, rows);
  d.heads = positive_extent(run);
  d.scale = number(run);
  d.q = rows_of(run, rows, d.heads * d.cache.size, &d.ldq);
  d.out = rows_of(run, rows, d.heads * d.cache.size, &d.ldo);
  require(run, d.own_pages);
  require(run, d.own_lengths);
  require(run, d.q);
  require(run, d.out);
  require_heads(run, d.heads, d.cache.kv_heads, d.cache.size);
  if (run->problem != NULL) return;
  require_pages(run, d.prompt_pages, d.most_prompt_pages, d.prompt_lengths, 0, d.groups, pages);
  require_pages(run, d.own_pages, d.most_own_pages, d.own_lengths, 1, rows, pages);
  require_room_for_scores(run, &d);
  if (run->problem == NULL) run->kernels->decode_attention(&d, run->scratch);
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
  long rows = extent(run), heads = positive_extent(run), n = positive_extent(run), accumulate = integer(run), ldx, lddy, lddx;
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

static const struct {
  const char *name;
  void (*run)(Run *);
} commands[] = {
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
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void release_scratch(napi_env env, void *scratch, void *hint) {
  (void)env;
  (void)hint;
  free(scratch);
}

/* Each thread's own working memory, made when first needed. */
static float *scratch_of(napi_env env) {
  void *scratch = NULL;
  napi_get_instance_data(env, &scratch);
  if (scratch == NULL) {
    if (posix_memalign(&scratch, 64, SCRATCH_FLOATS * sizeof(float)) != 0) return NULL;
    napi_set_instance_data(env, scratch, release_scratch, NULL);
  }
  return scratch;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Adds what a command took to `profile`: [commands, 2] seconds and floating-point operations of products. */
static void run_observed(Run *run, long command, double *profile) {
  double start = seconds(), flops = run->flops;
  commands[command].run(run);
  profile[2 * command] += seconds() - start;
  profile[2 * command + 1] += run->flops - flops;
}

/* Results are in flushed arithmetic: denormals, which are slow and mean nothing here, count as 0. */
static void run_commands(napi_env env, Run *run, double *profile) {
  const char *name = NULL;
#if defined(__x86_64__)
  unsigned control = _mm_getcsr();
  _mm_setcsr(control | 0x8040);
#endif
  while (run->next < run->end && run->problem == NULL) {
    name = "a command";
    long command = integer(run);
    if (command < 0 || command >= COMMAND_COUNT) {
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
  if (run->problem == NULL) return;
  char message[160];
  size_t length = 0;
  const char *parts[] = {name, ": ", run->problem};
  for (int i = 0; i < 3; i++) {
    size_t part = strlen(parts[i]);
    memcpy(message + length, parts[i], part + 1);
    length += part;
  }
  napi_throw_error(env, NULL, message);
}

/* The typed arrays of a list; NULL if it has anything else. To take elements may run a program's own code, which may detach
   arrays: where their memory is, is asked last. */
static Buffer *read_buffers(napi_env env, napi_value list, uint32_t count) {
  Buffer *buffers = malloc((count + 1L) * sizeof(Buffer));
  napi_status status = buffers == NULL ? napi_generic_failure : napi_ok;
  for (uint32_t i = 0; i < count && status == napi_ok; i++) status = napi_get_element(env, list, i, &buffers[i].array);
  for (uint32_t i = 0; i < count && status == napi_ok; i++) {
    size_t length;
    void *data;
    status = napi_get_typedarray_info(env, buffers[i].array, &buffers[i].type, &length, &data, NULL, NULL);
    buffers[i].data = data;
    buffers[i].length = (long)length;
  }
  if (status == napi_ok) return buffers;
  free(buffers);
  return NULL;
}

#define EXPECTED "expected a kernel set, a Float64Array and a list of typed arrays"

/* run(set, program, arrays[, profile]) */
static napi_value run_program(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4];
  int32_t set;
  napi_typedarray_type type;
  size_t program_length, profile_length;
  void *program, *profile = NULL;
  uint32_t buffer_count;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 3 ||
      napi_get_value_int32(env, arguments[0], &set) != napi_ok || set < 0 || set >= set_count ||
      napi_get_array_length(env, arguments[2], &buffer_count) != napi_ok)
    return fail(env, EXPECTED);
  float *scratch = scratch_of(env);
  Buffer *buffers = scratch == NULL ? NULL : read_buffers(env, arguments[2], buffer_count);
  if (buffers == NULL) return fail(env, scratch == NULL ? "no memory" : EXPECTED);
  if (napi_get_typedarray_info(env, arguments[1], &type, &program_length, &program, NULL, NULL) != napi_ok ||
      type != napi_float64_array) {
    free(buffers);
    return fail(env, EXPECTED);
  }
  if (count > 3 &&
      napi_get_typedarray_info(env, arguments[3], &type, &profile_length, &profile, NULL, NULL) == napi_ok &&
      (type != napi_float64_array || profile_length < 2 * COMMAND_COUNT)) {
    free(buffers);
    return fail(env, "expected a Float64Array for what commands took");
  }
  Run run = {.kernels = sets[set],
             .scratch = scratch,
             .buffers = buffers,
             .buffer_count = (long)buffer_count,
             .next = program,
             .end = (const double *)program + program_length};
  run_commands(env, &run, profile);
  free(buffers);
  return NULL;
}

/* packedLength(set, n, k) */
static napi_value packed_length(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3], result;
  int32_t set;
  int64_t n, k;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count != 3 ||
      napi_get_value_int32(env, arguments[0], &set) != napi_ok || set < 0 || set >= set_count ||
      napi_get_value_int64(env, arguments[1], &n) != napi_ok || napi_get_value_int64(env, arguments[2], &k) != napi_ok ||
      n < 0 || n > MOST_EXTENT || k < 0 || k > MOST_EXTENT)
    return fail(env, "expected a kernel set and two extents");
  napi_create_int64(env, sets[set]->packed_length(n, k), &result);
  return result;
}

/* adviseHugePages(array): to be asked before its memory is used for the first time. Nothing is lost where it is refused. */
static napi_value advise_huge_pages(napi_env env, napi_callback_info info) {
  size_t count = 1, length;
  napi_value array;
  napi_typedarray_type type;
  void *data;
  if (napi_get_cb_info(env, info, &count, &array, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_typedarray_info(env, array, &type, &length, &data, NULL, NULL) != napi_ok || type != napi_float32_array)
    return fail(env, "expected a Float32Array");
  const uintptr_t huge = 1L << 21;
  uintptr_t start = ((uintptr_t)data + huge - 1) / huge * huge;
  uintptr_t end = ((uintptr_t)data + length * sizeof(float)) / huge * huge;
  if (end > start) madvise((void *)start, end - start, MADV_HUGEPAGE);
  return NULL;
}

static napi_value list_names(napi_env env, int count, const char *(*name)(int)) {
  napi_value list, item;
  napi_create_array_with_length(env, (size_t)count, &list);
  for (int i = 0; i < count; i++) {
    napi_create_string_utf8(env, name(i), NAPI_AUTO_LENGTH, &item);
    napi_set_element(env, list, (uint32_t)i, item);
  }
  return list;
}

static const char *set_name(int i) { return sets[i]->name; }
static const char *command_name(int i) { return commands[i].name; }

NAPI_MODULE_INIT(/* env, exports */) {
  napi_value value;
  napi_set_named_property(env, exports, "sets", list_names(env, set_count, set_name));
  napi_set_named_property(env, exports, "commands", list_names(env, COMMAND_COUNT, command_name));
  napi_create_string_utf8(env, SOURCE_DIGEST, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, exports, "sourceDigest", value);
  napi_create_int32(env, PAGE, &value);
  napi_set_named_property(env, exports, "pagePositions", value);
  napi_create_function(env, "run", NAPI_AUTO_LENGTH, run_program, NULL, &value);
  napi_set_named_property(env, exports, "run", value);
  napi_create_function(env, "adviseHugePages", NAPI_AUTO_LENGTH, advise_huge_pages, NULL, &value);
  napi_set_named_property(env, exports, "adviseHugePages", value);
  napi_create_function(env, "packedLength", NAPI_AUTO_LENGTH, packed_length, NULL, &value);
  napi_set_named_property(env, exports, "packedLength", value);
  return exports;
}
