/*
 * What both directions of attention share. They work on blocks of query rows against blocks of keys, and keep scores
 * transposed, [key][query row]: a vector holds one key's scores of LANES rows, so that the softmax needs no sums across
 * lanes, and all matrix products are of one form, tiles of TILE rows whose left factor is broadcast from where it lies.
 */
#ifndef MUCODE_ATTENTION_H
#define MUCODE_ATTENTION_H
#include <string.h>

#include "kernels.h"
#include "vector.h"

#define INLINE static inline __attribute__((always_inline))
/* Unrolled whole, so that the tiles stay in registers. */
#define UNROLLED _Pragma("GCC unroll 16")

/* Query rows of a block and keys of a block (L1 and L2 hold what they need): multiples of 2 * LANES and of TILE. */
#define QUERIES 32
#define KEYS 256

/* Rows of a tile, 4 or 8: 2 * TILE vectors of sums, two of the right factor and one of the left fit the registers. */
#if LANES == 16
#define TILE 8
#else
#define TILE 4
#endif

#define MINIMUM(a, b) ((a) < (b) ? (a) : (b))

/* size rounded up to whole vectors */
INLINE long padded(long size) { return (size + LANES - 1) / LANES * LANES; }

/*
 * Up to QUERIES query rows of one sequence that share a key-value head: its positions one after another, at each of
 * them the heads of the group. Rows past the last one repeat it; what they give is not written.
 */
typedef struct {
  long rows;
  long before;               /* position of the sequence's row before the first one; -1 if there is none */
  int32_t position[QUERIES]; /* in the sequence: the row sees the keys 0 .. position */
  int32_t head[QUERIES];
  int32_t column[QUERIES];   /* where the head begins in a row of q, out and their gradients */
} Block;

INLINE Block block_at(const Attention *a, long length, long kv_head, long first) {
  long group = a->heads / a->kv_heads, position = first / group, head = first % group;
  Block block;
  block.rows = MINIMUM(QUERIES, length * group - first);
  block.before = head ? position : position - 1;
  for (long i = 0; i < QUERIES; i++) {
    block.position[i] = (int32_t)position;
    block.head[i] = (int32_t)(kv_head * group + head);
    block.column[i] = (int32_t)((kv_head * group + head) * a->size);
    if (i + 1 >= block.rows) continue;
    if (++head == group) head = 0, position++;
  }
  return block;
}

/* Vectors of LANES rows in the block. */
INLINE long vectors_of(const Block *block) { return (block->rows + LANES - 1) / LANES; }

/* The first of the block's vectors with a row that sees the key. */
INLINE long first_vector(const Block *block, long key) {
  long v = 0;
  while (block->position[v * LANES + LANES - 1] < key) v++;
  return v;
}

INLINE ivec positions_of(const Block *block, long vector) {
  ivec positions;
  memcpy(&positions, block->position + vector * LANES, sizeof positions);
  return positions;
}

/* exp(x) for x <= 0, to 2 units in the last place; 0 below -87.7. */
INLINE vec exp_down(vec x) {
  x = max_vec(splat(-88.02f), x); /* in this order, what is not a number stays so */
  vec shifted = x * 1.44269504f + 12583039.0f; /* 1.5 * 2^23 + 127: the low bits are n + 127, n = round(x / ln 2) */
  vec power = (vec)((ivec)shifted << 23);      /* 2^n; 0 for n = -127 */
  vec r = x - (shifted - 12583039.0f) * 0.693147181f;
  vec p = splat(1.3888889e-3f);
  p = p * r + 8.3333333e-3f;
  p = p * r + 4.1666667e-2f;
  p = p * r + 1.6666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * power;
}

/* Four floats each of rows[0], rows[4], rows[8] .. rows[LANES - 4], side by side. */
INLINE vec load_fours(const float *const *rows, long offset) {
#if LANES == 16
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + offset));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[4] + offset), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[8] + offset), 2);
  return (vec)_mm512_insertf32x4(v, _mm_loadu_ps(rows[12] + offset), 3);
#else
  __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(rows[0] + offset));
  return (vec)_mm256_insertf128_ps(v, _mm_loadu_ps(rows[4] + offset), 1);
#endif
}

/* Columns offset .. offset + 3 of LANES rows: four by four within the quarters (halves) of vectors. */
INLINE void load_columns(const float *const *rows, long offset, vec columns[4]) {
#if LANES == 16
#define EACH_FOUR(a, b, c, d) \
  (ivec) { a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12 }
#else
#define EACH_FOUR(a, b, c, d) \
  (ivec) { a, b, c, d, a + 4, b + 4, c + 4, d + 4 }
#endif
  const vec r0 = load_fours(rows, offset), r1 = load_fours(rows + 1, offset);
  const vec r2 = load_fours(rows + 2, offset), r3 = load_fours(rows + 3, offset);
  const vec low01 = __builtin_shuffle(r0, r1, EACH_FOUR(0, LANES, 1, LANES + 1));
  const vec low23 = __builtin_shuffle(r2, r3, EACH_FOUR(0, LANES, 1, LANES + 1));
  const vec high01 = __builtin_shuffle(r0, r1, EACH_FOUR(2, LANES + 2, 3, LANES + 3));
  const vec high23 = __builtin_shuffle(r2, r3, EACH_FOUR(2, LANES + 2, 3, LANES + 3));
  columns[0] = __builtin_shuffle(low01, low23, EACH_FOUR(0, 1, LANES, LANES + 1));
  columns[1] = __builtin_shuffle(low01, low23, EACH_FOUR(2, 3, LANES + 2, LANES + 3));
  columns[2] = __builtin_shuffle(high01, high23, EACH_FOUR(0, 1, LANES, LANES + 1));
  columns[3] = __builtin_shuffle(high01, high23, EACH_FOUR(2, 3, LANES + 2, LANES + 3));
#undef EACH_FOUR
}

/* y = x, filled up with zeros to whole vectors. */
INLINE void pad_row(long size, const float *x, float *y) { EACH_VECTOR(size, store(y + i, load_some(x + i, lanes));); }

/*
 * columns[size][QUERIES] = the block's rows of x, transposed, and rows[QUERIES][padded size] those rows, unless NULL.
 * x: the sequence's first row.
 */
INLINE void pack_block(const Block *block, long size, const float *x, long ld, float *columns, float *rows) {
  for (long v = 0; v < block->rows; v += LANES) {
    const float *from[LANES];
    for (int i = 0; i < LANES; i++) from[i] = x + block->position[v + i] * ld + block->column[v + i];
    long d = 0;
    for (; d + 4 <= size; d += 4) {
      vec four[4];
      load_columns(from, d, four);
      UNROLLED for (int i = 0; i < 4; i++) store(columns + (d + i) * QUERIES + v, four[i]);
    }
    for (; d < size; d++)
      for (int i = 0; i < LANES; i++) columns[d * QUERIES + v + i] = from[i][d];
    if (rows)
      for (int i = 0; i < LANES; i++) pad_row(size, from[i], rows + (v + i) * padded(size));
  }
}

/* Rows whose heads are read as vectors: the tensor's own if size is whole vectors, else a padded copy of them. */
INLINE const float *whole_vectors(long rows, long size, const float *x, long *ld, float *copy) {
  if (size % LANES == 0) return x;
  for (long i = 0; i < rows; i++) pad_row(size, x + i * *ld, copy + i * padded(size));
  *ld = padded(size);
  return copy;
}

/* A tile's rows where fewer than TILE are left: a copy that repeats the last one. What repeats give is masked. */
INLINE const float *repeat_last(long rows, long size, const float *x, long *ld, float *copy) {
  for (long i = 0; i < TILE; i++) pad_row(size, x + MINIMUM(i, rows - 1) * *ld, copy + i * padded(size));
  *ld = padded(size);
  return copy;
}

/* Keeps the compiler from turning one moving pointer into eight, which would not fit the registers. */
#define ONE_POINTER(p) __asm__("" : "+r"(p))
/* Keeps a sum where it is: GCC would move sums between registers and, running out of them, to memory. */
#define IN_REGISTER(v) __asm__("" : "+v"(v))

/*
 * c[i][j] += the sum over p < depth of a[i * row + p * step] b[p * ldb + j], j over one or two vectors. So many sums at
 * once hide the latency of the multiply-adds, and each broadcast serves two of them.
 */
INLINE void multiply(vec c[TILE][2], int vectors, long depth, const float *a, long row, long step, const float *b,
                     long ldb) {
  const float *a4 = a + 4 * row;
  const long row3 = 3 * row;
#define TERMS(steps)                                                          \
  UNROLLED for (int p = 0; p < steps; p++) {                                  \
    vec b0 = load(b), b1 = vectors == 2 ? load(b + LANES) : b0;               \
    UNROLLED for (int i = 0; i < TILE; i++) {                                 \
      vec x = splat((i < 4 ? a : a4)[i % 4 == 3 ? row3 : i % 4 * row]);       \
      c[i][0] += x * b0;                                                      \
      if (vectors == 2) c[i][1] += x * b1;                                    \
      IN_REGISTER(c[i][0]);                                                   \
      if (vectors == 2) IN_REGISTER(c[i][1]);                                 \
    }                                                                         \
    b += ldb;                                                                 \
    a += step;                                                                \
    ONE_POINTER(a);                                                           \
    if (__builtin_constant_p(row)) {                                          \
      a4 = a + 4 * row;                                                       \
    } else {                                                                  \
      a4 += step;                                                             \
      ONE_POINTER(a4);                                                        \
    }                                                                         \
  }
  long rest = depth;
  for (; rest >= 4; rest -= 4) {
    TERMS(4)
  }
  for (; rest > 0; rest--) {
    TERMS(1)
  }
#undef TERMS
}

/* Terms added up one after another; sums of that many are then added. Keeps the rounding of long sums down. */
#define CHUNK 32

/*
 * c[i][j] = the sum over d < size of rows[i * ld + d] columns[d * QUERIES + j]: TILE keys by one or two vectors of
 * query rows. partial [TILE][QUERIES] is overwritten.
 */
INLINE void dot_products(vec c[TILE][2], int vectors, long size, const float *rows, long ld, const float *columns,
                         float *partial) {
  for (long d = 0;; d += CHUNK) {
    UNROLLED for (int i = 0; i < TILE; i++) c[i][0] = c[i][1] = (vec){0};
    if (size - d >= CHUNK) multiply(c, vectors, CHUNK, rows + d, ld, 1, columns + d * QUERIES, QUERIES);
    else multiply(c, vectors, size - d, rows + d, ld, 1, columns + d * QUERIES, QUERIES);
    UNROLLED for (int i = 0; i < TILE; i++)
      UNROLLED for (int j = 0; j < vectors; j++)
        if (d) c[i][j] += load(partial + i * QUERIES + j * LANES);
    if (d + CHUNK >= size) return;
    UNROLLED for (int i = 0; i < TILE; i++)
      UNROLLED for (int j = 0; j < vectors; j++) store(partial + i * QUERIES + j * LANES, c[i][j]);
  }
}

/* c[i][j], the vector's scores with key number key + i, become -infinity, whose exp is 0, where it is not seen. */
INLINE void mask_tile(vec c[TILE][2], int j, const Block *block, long vector, long key) {
  if (key + TILE - 1 <= block->position[vector * LANES]) return;
  ivec position = positions_of(block, vector);
  UNROLLED for (int i = 0; i < TILE; i++)
    c[i][j] = choose(position >= (int32_t)(key + i), c[i][j], splat(-__builtin_inff()));
}

#endif
