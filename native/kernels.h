/*
 * The embedded engine's compute kernels: float32, row-major, one thread. The files that have them are compiled once per
 * instruction set (ISA is the suffix of their symbols); kernel-sets.c finds out which sets the processor has.
 *
 * What a row of a result is, in its last bit, depends on that row's inputs and the fixed extents alone: never on how
 * many rows there are, or which others.
 */
#ifndef MUCODE_KERNELS_H
#define MUCODE_KERNELS_H
#include <stdint.h>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/* The symbol of this instruction set. */
#define NAME(name) JOIN(name, ISA)

/* Floats of working memory that a kernel may be given, aligned to 64 bytes. */
#define SCRATCH_FLOATS (4L << 20)
/* The longest head of attention: SCRATCH_FLOATS have room for a block of them. */
#define MOST_HEAD_SIZE 1024

/* c[m, n] = alpha * A B + addend + bias, A [m, k], B [k, n]. */
typedef struct {
  long m, n, k;
  float alpha;
  const float *a; /* A[i][p] is a[i * lda + p], or a[p * lda + i] if transposed */
  long lda;
  int transpose_a;
  const float *b; /* B[p][j] is b[p * ldb + j], or b[j * ldb + p] if transposed, or what pack wrote if packed */
  long ldb;
  int transpose_b, packed_b;
  const float *addend; /* [m, n] or NULL; may be c */
  long ld_addend;
  const float *bias; /* [n] or NULL */
  float *c;
  long ldc;
} Gemm;

/* Causal attention of sequences laid end to end. Query head h looks at key and value head h / (heads / kv_heads). */
typedef struct {
  long sequences;
  const int32_t *starts; /* [sequences + 1]: the rows of sequence s are starts[s] .. starts[s + 1] - 1 */
  long heads, kv_heads, size;
  float scale; /* of the scores: 1 / sqrt(size) */
  const float *q, *k, *v; /* head h of row i is at i * ld + h * size */
  long ldq, ldk, ldv;
  float *out; /* [rows, heads * size] */
  long ldo;
  float *lse; /* [rows, heads]: log of the sum of exp(scaled scores); not written when NULL */
} Attention;

/* Given as well: what the forward pass wrote, and the gradient of out. Written (not added to): those of q, k and v. */
typedef struct {
  Attention forward;
  const float *dout;
  long lddo;
  float *dq, *dk, *dv;
  long lddq, lddk, lddv;
} AttentionBackward;

/*
 * Keys and values of decoded sequences lie in pages of PAGE positions. A page has, for each layer and in it for each
 * key-value head, keys [PAGE / 16][size][16] (16 positions side by side, for the lanes of a vector) and values [PAGE][size].
 * Until the last of 16 positions is written, their keys are [16][size]; so the 16 are written in order, each once.
 */
#define PAGE 32

typedef struct {
  float *pages;
  long layers, layer, kv_heads, size;
} PagedCache;

/*
 * One query row per sequence. Sequences with a common prompt are neighbours and form a group. Each has at least one
 * position, and the lengths are those that have been written: which keys are turned follows from them.
 */
typedef struct {
  PagedCache cache;
  long groups;
  const int32_t *group_starts;   /* [groups + 1]: rows */
  const int32_t *prompt_pages;   /* group g's are at g * most_prompt_pages */
  long most_prompt_pages;
  const int32_t *prompt_lengths; /* [groups]: positions, may be 0 */
  const int32_t *own_pages;      /* row i's are at i * most_own_pages */
  long most_own_pages;
  const int32_t *own_lengths;    /* [rows]: positions with the present one, which is in the cache already */
  long heads;
  float scale;
  const float *q; /* head h of row i is at i * ldq + h * size */
  long ldq;
  float *out; /* [rows, heads * size] */
  long ldo;
} DecodeAttention;

typedef struct {
  long n;
  float *weights;
  const float *gradient;
  float *moment1, *moment2;
  float learning_rate, keep, beta1, one_minus_beta1, beta2, one_minus_beta2, correction1, correction2, epsilon,
      gradient_scale;
} AdamW;

/* A kernel set. scratch has SCRATCH_FLOATS floats. ld: floats from one row to the next. */
typedef struct {
  const char *name;
  /* gemm.c, or gemm-amx.c */
  void (*gemm)(const Gemm *, float *scratch);
  /* Floats that pack writes for B [k, n]. */
  long (*packed_length)(long n, long k);
  void (*pack)(long n, long k, const float *b, long ldb, int transpose_b, float *packed);
  /* attention.c */
  void (*attention)(const Attention *, float *scratch);
  void (*attention_backward)(const AttentionBackward *, float *scratch);
  /* decode.c */
  void (*decode_attention)(const DecodeAttention *, float *scratch);
  /* Row i's keys and values, at i * ldk and i * ldv, go to position places[i] % PAGE of page places[i] / PAGE. */
  void (*cache_write)(const PagedCache *, long rows, const int32_t *places, const float *k, long ldk, const float *v,
                      long ldv);
  /* softmax.c. In place: log-probabilities; probabilities [rows, n] are those at the rows' temperatures. */
  void (*token_probabilities)(long rows, long n, float *logits, const float *inverse_temperatures,
                              float *probabilities);
  /* rows.c, norm.c, rotate.c, activation.c, softmax.c, optimizer.c */
  void (*gather_rows)(long rows, long n, const int32_t *indices, const float *x, long ldx, float *y, long ldy);
  /* y[indices[i]] += x[i], in the order of i; indices may repeat. */
  void (*scatter_add_rows)(long rows, long n, const int32_t *indices, const float *x, long ldx, float *y, long ldy);
  /* y = w * x * inverse, inverse[rows, heads] = 1 / sqrt(mean(x^2) + epsilon), for each of heads groups of n side by side
     in a row; inverse may be NULL. */
  void (*rms_norm)(long rows, long heads, long n, const float *x, long ldx, const float *w, float epsilon, float *y,
                   long ldy, float *inverse);
  /* dx += (accumulate) or = the gradient of x; dw [n] += that of w, unless NULL. */
  void (*rms_norm_backward)(long rows, long heads, long n, const float *x, long ldx, const float *w,
                            const float *inverse, const float *dy, long lddy, float *dx, long lddx, int accumulate,
                            float *dw);
  /* In place: the pair (x[i], x[i + size / 2]) of every head turned by the angle of its row's position; backwards with
     direction -1. cosine, sine [positions, size / 2]. */
  void (*rotate)(long rows, long heads, long size, float *x, long ldx, const int32_t *positions, const float *cosine,
                 const float *sine, float direction);
  /* y = gate / (1 + exp(-gate)) * up */
  void (*swiglu)(long rows, long n, const float *gate, long ldg, const float *up, long ldu, float *y, long ldy);
  void (*swiglu_backward)(long rows, long n, const float *gate, long ldg, const float *up, long ldu, const float *dy,
                          long lddy, float *dgate, long lddg, float *dup, long lddu);
  /* values[i] = log softmax(logits[i])[targets[i]]; with weights, logits become weights[i] * (softmax - onehot). */
  void (*cross_entropy)(long rows, long n, float *logits, long ld, const int32_t *targets, const float *weights,
                        float *values);
  /* y[n] += the sum of x's rows. */
  void (*add_column_sums)(long rows, long n, const float *x, long ldx, float *y);
  void (*adamw)(const AdamW *);
  /* y += x; returns the sum of the squares of the new y, in double precision. */
  double (*add_and_square)(long n, const float *x, float *y);
  double (*square)(long n, const float *x);
} Kernels;

/* Every kernel is declared as its member above, for the instruction set being compiled. */
#ifdef ISA
#define KERNEL_OF(name, set) __typeof__(*((Kernels *)0)->name) JOIN(name, set)
#define KERNEL(name) KERNEL_OF(name, ISA)
/* Those that the tile unit has of its own. */
#define PRODUCTS(set)            \
  KERNEL_OF(gemm, set);          \
  KERNEL_OF(packed_length, set); \
  KERNEL_OF(pack, set)
PRODUCTS(ISA);
KERNEL(attention);
KERNEL(attention_backward);
KERNEL(decode_attention);
KERNEL(cache_write);
KERNEL(token_probabilities);
KERNEL(gather_rows);
KERNEL(scatter_add_rows);
KERNEL(rms_norm);
KERNEL(rms_norm_backward);
KERNEL(rotate);
KERNEL(swiglu);
KERNEL(swiglu_backward);
KERNEL(cross_entropy);
KERNEL(add_column_sums);
KERNEL(adamw);
KERNEL(add_and_square);
KERNEL(square);
#endif

#endif
