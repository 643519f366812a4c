/*
 * Causal attention, forward: a block of query rows goes over the keys in blocks of KEYS and keeps, per row, the
 * greatest score so far and the sums scaled by it, so that sequences of any length need the same working memory.
 */
#include "attention.h"

/* log(x) of positive normal x, within 1 unit in the last place: x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). */
INLINE vec log_vec(vec x) {
  ivec n = ((ivec)x - 0x3f3504f3) >> 23;
  vec f = (vec)((ivec)x - (n << 23)) - 1.0f, exponent = __builtin_convertvector(n, vec);
  vec z = f / (f + 2.0f), square = z * z, half = f * f * 0.5f; /* log(1 + f) = 2 (z + z^3/3 + z^5/5 + ...) */
  vec series = splat(0.2222222222f);
  series = series * square + 0.2857142857f;
  series = series * square + 0.4f;
  series = series * square + 0.6666666667f;
  series = series * square;
  return exponent * 0.693145752f + (f - (half - (z * (half + series) + exponent * 1.42860677e-6f)));
}

/* What a block of queries has so far. */
typedef struct {
  float *columns;             /* [size][QUERIES]: q */
  float *scores;              /* [KEYS][QUERIES], then exp of them */
  float *sums;                /* [QUERIES][padded size]: of exp(score) v */
  float *copy;                /* [KEYS][padded size] */
  float *tile;                /* [TILE][padded size] */
  vec most[QUERIES / LANES];  /* the greatest score */
  vec shift[QUERIES / LANES]; /* scale * most, rounded: what is taken from the exponents */
  vec total[QUERIES / LANES]; /* the sum of exp */
  float correction[QUERIES];  /* what sums of earlier keys are to be multiplied by */
} State;

/* scores of TILE keys, the first of them number key of the sequence, for one or two vectors of rows. */
INLINE void score_tile(State *state, const Block *block, int vectors, long size, const float *k, long ldk, long key,
                       long v, float *scores) {
  vec c[TILE][2];
  dot_products(c, vectors, size, k, ldk, state->columns + v * LANES, scores + v * LANES);
  UNROLLED for (int j = 0; j < vectors; j++) {
    mask_tile(c, j, block, v + j, key);
    vec most = state->most[v + j];
    UNROLLED for (int i = 0; i < TILE; i++) {
      most = max_vec(most, c[i][j]);
      store(scores + i * QUERIES + (v + j) * LANES, c[i][j]);
    }
    state->most[v + j] = most;
  }
}

/* scores = K q^T of the keys first .. first + keys - 1. */
static void score(State *state, const Block *block, long size, const float *k, long ldk, long first, long keys) {
  long vectors = vectors_of(block);
  for (long key = 0; key < keys; key += TILE) {
    const float *rows = k + key * ldk;
    long ld = ldk;
    if (keys - key < TILE) rows = repeat_last(keys - key, size, rows, &ld, state->tile);
    long v = first_vector(block, first + key);
    float *scores = state->scores + key * QUERIES;
    for (; v + 2 <= vectors; v += 2) score_tile(state, block, 2, size, rows, ld, first + key, v, scores);
    if (v < vectors) score_tile(state, block, 1, size, rows, ld, first + key, v, scores);
  }
}

/* scores become exp(scale * (score - most)); total is their sum. */
static void exponentials(State *state, const Block *block, float scale, long first, long keys) {
  for (long v = 0; v < vectors_of(block); v++) {
    long seen = MINIMUM(keys, block->position[v * LANES + LANES - 1] + 1 - first);
    vec shift = state->most[v] * scale;
    vec correction = exp_down(state->shift[v] - shift), sum = {0};
    state->shift[v] = shift;
    store(state->correction + v * LANES, correction);
    float *s = state->scores + v * LANES;
    _Pragma("GCC unroll 4") for (long key = 0; key < seen; key++, s += QUERIES) {
      vec e = exp_down(load(s) * scale - shift);
      sum += e;
      store(s, e);
    }
    state->total[v] = state->total[v] * correction + sum;
  }
}

/* sums [TILE][vectors] = sums * correction + P^T V; without correction, P^T V. */
INLINE void value_tile(int vectors, long keys, const float *p, const float *v, long ldv, float *sums, long ld,
                       const float *correction) {
  vec c[TILE][2] = {0};
  if (correction)
    UNROLLED for (int i = 0; i < TILE; i++)
      UNROLLED for (int j = 0; j < vectors; j++) c[i][j] = load(sums + i * ld + j * LANES) * correction[i];
  multiply(c, vectors, keys, p, 1, QUERIES, v, ldv);
  UNROLLED for (int i = 0; i < TILE; i++)
    UNROLLED for (int j = 0; j < vectors; j++) store(sums + i * ld + j * LANES, c[i][j]);
}

/* sums = sums * correction + P^T V, P the exponentials of the scores */
static void add_values(State *state, const Block *block, long size, const float *v, long ldv, long first, long keys) {
  long width = padded(size);
  for (long i = 0; i < block->rows; i += TILE) {
    long seen = MINIMUM(keys, block->position[i + TILE - 1] + 1 - first), d = 0;
    if (seen <= 0) continue;
    const float *correction = first ? state->correction + i : NULL, *p = state->scores + i;
    float *sums = state->sums + i * width;
    for (; d + 2 * LANES <= width; d += 2 * LANES)
      value_tile(2, seen, p, v + d, ldv, sums + d, width, correction);
    if (d < width) value_tile(1, seen, p, v + d, ldv, sums + d, width, correction);
  }
}

/* out = sums / total, lse = shift + log(total) */
static void write_block(State *state, const Block *block, const Attention *a, long start) {
  float inverse[QUERIES], lse[QUERIES];
  long width = padded(a->size);
  for (long v = 0; v < vectors_of(block); v++) {
    store(inverse + v * LANES, 1.0f / state->total[v]);
    if (a->lse) store(lse + v * LANES, state->shift[v] + log_vec(state->total[v]));
  }
  for (long row = 0; row < block->rows; row++) {
    const float *sums = state->sums + row * width;
    float *out = a->out + (start + block->position[row]) * a->ldo + block->column[row];
    EACH_VECTOR(a->size, store_some(out + i, load(sums + i) * inverse[row], lanes););
    if (a->lse) a->lse[(start + block->position[row]) * a->heads + block->head[row]] = lse[row];
  }
}

/* One block of queries, from first_row on. */
static void attend(State *state, const Attention *a, long start, long length, long kv_head, long first_row) {
  Block block = block_at(a, length, kv_head, first_row);
  pack_block(&block, a->size, a->q + start * a->ldq, a->ldq, state->columns, NULL);
  for (long v = 0; v < QUERIES / LANES; v++) {
    state->most[v] = state->shift[v] = splat(-__builtin_inff());
    state->total[v] = (vec){0};
  }
  long end = block.position[block.rows - 1] + 1;
  for (long first = 0; first < end; first += KEYS) {
    long keys = MINIMUM(KEYS, end - first), ldv = a->ldv;
    const float *k = a->k + (start + first) * a->ldk + kv_head * a->size;
    const float *v = a->v + (start + first) * a->ldv + kv_head * a->size;
    score(state, &block, a->size, k, a->ldk, first, keys);
    exponentials(state, &block, a->scale, first, keys);
    v = whole_vectors(keys, a->size, v, &ldv, state->copy);
    add_values(state, &block, a->size, v, ldv, first, keys);
  }
  write_block(state, &block, a, start);
}

void NAME(attention)(const Attention *a, float *scratch) {
  long width = padded(a->size), group = a->heads / a->kv_heads;
  State state;
  state.scores = scratch;
  state.columns = state.scores + KEYS * QUERIES;
  state.sums = state.columns + width * QUERIES;
  state.copy = state.sums + width * QUERIES;
  state.tile = state.copy + KEYS * width;
  for (long s = 0; s < a->sequences; s++) {
    long start = a->starts[s], length = a->starts[s + 1] - start;
    for (long kv_head = 0; kv_head < a->kv_heads; kv_head++)
      for (long row = 0; row < length * group; row += QUERIES) attend(&state, a, start, length, kv_head, row);
  }
}
