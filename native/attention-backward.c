/*
 * Causal attention, backward. With P = exp(scale * q k^T - lse), the probabilities computed anew, and dP = dout v^T:
 *   dv = P^T dout,  dS = scale * P * (dP - mean),  mean = the sum of dout * out,  dq = dS k,  dk = dS^T q.
 * Keys go in blocks, whose dk and dv are summed in working memory over all the query rows that see them; every block of
 * keys adds its part to dq.
 */
#include "attention.h"

typedef struct {
  float *q_columns, *dout_columns;    /* [size][QUERIES] */
  float *q_copy, *dout_copy, *dq;     /* [QUERIES][width], width = padded size */
  const float *q, *dout;              /* the rows themselves, or the copies */
  long ldq, lddout;
  float *probabilities, *differences; /* [KEYS][QUERIES]: P and dS, transposed */
  float *dk, *dv;                     /* [KEYS][width] */
  float *copy, *tile;                 /* [KEYS][width], 2 of [TILE][width] */
  float lse[QUERIES], mean[QUERIES];  /* mean times scale */
} State;

/* The block's rows of x as columns, and as rows of whole vectors: x's own if they lie evenly in it, else a copy. */
static const float *pack_both(const Block *block, const Attention *a, const float *x, long ld, float *columns,
                              float *copy, long *ld_rows) {
  const int in_place = a->heads == a->kv_heads && a->size % LANES == 0;
  pack_block(block, a->size, x, ld, columns, in_place ? NULL : copy);
  *ld_rows = in_place ? ld : padded(a->size);
  return in_place ? x + block->position[0] * ld + block->column[0] : copy;
}

/* P and dS of TILE keys, the first of them number key of the sequence, for one or two vectors of rows. */
INLINE void probability_tile(const State *state, const Block *block, int vectors, long size, float scale,
                             const float *k, long ldk, const float *v, long ldv, long key, long vector, long at) {
  float *p = state->probabilities + at, *ds = state->differences + at;
  vec c[TILE][2];
  dot_products(c, vectors, size, k, ldk, state->q_columns + vector * LANES, p);
  UNROLLED for (int j = 0; j < vectors; j++) {
    mask_tile(c, j, block, vector + j, key);
    vec lse = load(state->lse + (vector + j) * LANES);
    UNROLLED for (int i = 0; i < TILE; i++) store(p + i * QUERIES + j * LANES, exp_down(c[i][j] * scale - lse));
  }
  dot_products(c, vectors, size, v, ldv, state->dout_columns + vector * LANES, ds);
  UNROLLED for (int j = 0; j < vectors; j++) {
    vec mean = load(state->mean + (vector + j) * LANES);
    UNROLLED for (int i = 0; i < TILE; i++)
      store(ds + i * QUERIES + j * LANES, load(p + i * QUERIES + j * LANES) * (c[i][j] * scale - mean));
  }
}

/* P and dS of the keys first .. first + keys - 1. */
static void find_probabilities(const State *state, const Block *block, const Attention *a, const float *k,
                               const float *v, long first, long keys) {
  long vectors = vectors_of(block), size = a->size;
  for (long key = 0; key < keys; key += TILE) {
    const float *k_rows = k + key * a->ldk, *v_rows = v + key * a->ldv;
    long ldk = a->ldk, ldv = a->ldv, vector = first_vector(block, first + key);
    if (keys - key < TILE) {
      k_rows = repeat_last(keys - key, size, k_rows, &ldk, state->tile);
      v_rows = repeat_last(keys - key, size, v_rows, &ldv, state->tile + TILE * padded(size));
    }
    for (; vector + 2 <= vectors; vector += 2)
      probability_tile(state, block, 2, size, a->scale, k_rows, ldk, v_rows, ldv, first + key, vector,
                       key * QUERIES + vector * LANES);
    if (vector < vectors)
      probability_tile(state, block, 1, size, a->scale, k_rows, ldk, v_rows, ldv, first + key, vector,
                       key * QUERIES + vector * LANES);
  }
}

/* sums [TILE][vectors] = A B, or += if accumulate, A[i][p] = a[i * row + p * step]. */
INLINE void add_tile(int vectors, int accumulate, long depth, const float *a, long row, long step, const float *b,
                     long ldb, float *sums, long width) {
  vec c[TILE][2] = {0};
  if (accumulate)
    UNROLLED for (int i = 0; i < TILE; i++)
      UNROLLED for (int j = 0; j < vectors; j++) c[i][j] = load(sums + i * width + j * LANES);
  multiply(c, vectors, depth, a, row, step, b, ldb);
  UNROLLED for (int i = 0; i < TILE; i++)
    UNROLLED for (int j = 0; j < vectors; j++) store(sums + i * width + j * LANES, c[i][j]);
}

/*
 * sums [keys][width] += weights^T x, for weights [keys][QUERIES], x [QUERIES][width]; or =, where no row before the
 * block sees the keys.
 */
static void add_over_queries(const Block *block, long width, const float *weights, const float *x, long ldx,
                             float *sums, long first, long keys) {
  long row = 0;
  for (long key = 0; key < keys; key += TILE) {
    while (block->position[row] < first + key) row++;
    long d = 0, depth = block->rows - row;
    const int accumulate = block->before >= first + key;
    const float *w = weights + key * QUERIES + row, *from = x + row * ldx;
    for (; d + 2 * LANES <= width; d += 2 * LANES)
      add_tile(2, accumulate, depth, w, QUERIES, 1, from + d, ldx, sums + key * width + d, width);
    if (d < width) add_tile(1, accumulate, depth, w, QUERIES, 1, from + d, ldx, sums + key * width + d, width);
  }
}

/* dq = dS k of the block of keys, to the block's working memory. */
static void find_dq(const State *state, const Block *block, long width, const float *k, long ldk, long first,
                    long keys) {
  for (long i = 0; i < block->rows; i += TILE) {
    long seen = MINIMUM(keys, block->position[i + TILE - 1] + 1 - first), d = 0;
    const float *ds = state->differences + i;
    float *dq = state->dq + i * width;
    for (; d + 2 * LANES <= width; d += 2 * LANES) add_tile(2, 0, seen, ds, 1, QUERIES, k + d, ldk, dq + d, width);
    if (d < width) add_tile(1, 0, seen, ds, 1, QUERIES, k + d, ldk, dq + d, width);
  }
}

/* lse and mean of the block's rows. The lanes of rows that a short block lacks keep older ones; their P is not used. */
static void find_means(State *state, const Block *block, const Attention *a, long start) {
  for (long row = 0; row < block->rows; row++) {
    const float *out = a->out + (start + block->position[row]) * a->ldo + block->column[row];
    const float *dout = state->dout + row * state->lddout;
    vec dots = {0};
    EACH_VECTOR(a->size, dots += load_some(out + i, lanes) * load(dout + i););
    state->mean[row] = sum_lanes(dots) * a->scale;
    state->lse[row] = a->lse[(start + block->position[row]) * a->heads + block->head[row]];
  }
}

/* y = x or, where something is there already, y += x */
static void write_row(long size, const float *x, float *y, int add) {
  EACH_VECTOR(size, {
    vec sum = load(x + i);
    if (add) sum += load_some(y + i, lanes);
    store_some(y + i, sum, lanes);
  });
}

/* What one block of queries and one of keys give each other. k, v: the keys' first rows. */
static void exchange(State *state, const AttentionBackward *b, const Block *block, long start, const float *k,
                     const float *v, const float *whole_k, long ld_whole_k, long first, long keys) {
  const Attention *a = &b->forward;
  long width = padded(a->size);
  keys = MINIMUM(keys, block->position[block->rows - 1] + 1 - first);
  state->q = pack_both(block, a, a->q + start * a->ldq, a->ldq, state->q_columns, state->q_copy, &state->ldq);
  state->dout = pack_both(block, a, b->dout + start * b->lddo, b->lddo, state->dout_columns, state->dout_copy,
                          &state->lddout);
  find_means(state, block, a, start);
  find_probabilities(state, block, a, k, v, first, keys);
  add_over_queries(block, width, state->probabilities, state->dout, state->lddout, state->dv, first, keys);
  add_over_queries(block, width, state->differences, state->q, state->ldq, state->dk, first, keys);
  find_dq(state, block, width, whole_k, ld_whole_k, first, keys);
  /* Every row sees the first block of keys, which comes first. */
  for (long i = 0; i < block->rows; i++)
    write_row(a->size, state->dq + i * width, b->dq + (start + block->position[i]) * b->lddq + block->column[i],
              first > 0);
}

/* One block of keys, from first on, with all the queries that see it. */
static void attend_backward(State *state, const AttentionBackward *b, long start, long length, long kv_head,
                            long first) {
  const Attention *a = &b->forward;
  long keys = MINIMUM(KEYS, length - first), width = padded(a->size), group = a->heads / a->kv_heads, ldk = a->ldk;
  const float *k = a->k + (start + first) * a->ldk + kv_head * a->size;
  const float *v = a->v + (start + first) * a->ldv + kv_head * a->size;
  const float *whole_k = whole_vectors(keys, a->size, k, &ldk, state->copy);
  for (long row = first * group; row < length * group; row += QUERIES) {
    Block block = block_at(a, length, kv_head, row);
    exchange(state, b, &block, start, k, v, whole_k, ldk, first, keys);
  }
  for (long i = 0; i < keys; i++) {
    write_row(a->size, state->dk + i * width, b->dk + (start + first + i) * b->lddk + kv_head * a->size, 0);
    write_row(a->size, state->dv + i * width, b->dv + (start + first + i) * b->lddv + kv_head * a->size, 0);
  }
}

void NAME(attention_backward)(const AttentionBackward *b, float *scratch) {
  const Attention *a = &b->forward;
  long width = padded(a->size);
  State state = {0};
  float **parts[] = {&state.q_columns, &state.dout_columns, &state.q_copy, &state.dout_copy, &state.dq};
  for (int i = 0; i < 5; i++, scratch += QUERIES * width) *parts[i] = scratch;
  state.probabilities = scratch;
  state.differences = state.probabilities + KEYS * QUERIES;
  state.dk = state.differences + KEYS * QUERIES;
  state.dv = state.dk + KEYS * width;
  state.copy = state.dv + KEYS * width;
  state.tile = state.copy + KEYS * width;
  for (long s = 0; s < a->sequences; s++) {
    long start = a->starts[s], length = a->starts[s + 1] - start;
    for (long kv_head = 0; kv_head < a->kv_heads; kv_head++)
      for (long first = 0; first < length; first += KEYS) attend_backward(&state, b, start, length, kv_head, first);
  }
}
