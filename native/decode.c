/*
 * Attention of the tokens being decoded, over keys and values in pages.
 *
 * The queries of a group that share a key-value head are taken BLOCK at a time, so that what is loaded of the prompt
 * serves all of them: first the scores of the prompt, then each row's own; their softmax; then the sums of values in
 * the same order. Each score and each output element is one chain of additions in the order of its terms, whichever
 * queries are in its block. A row's own positions serve that row alone, so that memory sets the speed there.
 */
#include "kernels.h"
#include "vector.h"

/* Queries by vectors whose sums are kept in registers: 8 by 2 of 32 registers, or 4 by 2 of 16. */
#if LANES == 16
#define BLOCK 8
#else
#define BLOCK 4
#endif

/* Positions side by side in a page's keys. */
#define PANEL 16

static inline long rounded_up(long count, long unit) { return (count + unit - 1) / unit * unit; }
static inline long smaller(long a, long b) { return a < b ? a : b; }

static inline long floats_per_head(const PagedCache *cache) { return 2 * PAGE * cache->size; }

/* Keys of a head in a page; its values are PAGE * size floats on. */
static inline float *keys_of(const PagedCache *cache, long page, long head) {
  return cache->pages + ((page * cache->layers + cache->layer) * cache->kv_heads + head) * floats_per_head(cache);
}
static inline float *values_of(const PagedCache *cache, long page, long head) {
  return keys_of(cache, page, head) + PAGE * cache->size;
}

void NAME(cache_write)(const PagedCache *cache, long rows, const int32_t *places, const float *k, long ldk,
                       const float *v, long ldv) {
  const long size = cache->size;
  for (long row = 0; row < rows; row++) {
    const long page = places[row] / PAGE, position = places[row] % PAGE;
    for (long head = 0; head < cache->kv_heads; head++) {
      const float *key = k + row * ldk + head * size;
      float *to = keys_of(cache, page, head) + position / PANEL * PANEL * size + position % PANEL;
      for (long d = 0; d < size; d++) to[d * PANEL] = key[d];
      const float *value = v + row * ldv + head * size;
      memcpy(values_of(cache, page, head) + position * size, value, sizeof(float) * (size_t)size);
    }
  }
}

/*
 * c[i][j] = (add: +) the sum over p of a[i][p] b[p][j], for so many rows i and vectors of columns j, the last with so
 * many lanes. Vector j of b's row p is at p * ldb + j * b_next.
 */
static inline __attribute__((always_inline)) void multiply(const long rows, const long vectors, const long lanes,
                                                           const int add, long length, const float *a, long lda,
                                                           const float *b, long ldb, long b_next, float *c, long ldc) {
  vec sum[BLOCK][2];
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++) sum[i][j] = add ? load_some(c + i * ldc + j * LANES, lanes) : (vec){0};
#pragma GCC unroll 4
  for (long p = 0; p < length; p++) {
    vec column[2];
    for (long j = 0; j < vectors; j++) column[j] = load_some(b + p * ldb + j * b_next, lanes);
    for (long i = 0; i < rows; i++)
      for (long j = 0; j < vectors; j++) sum[i][j] += a[i * lda + p] * column[j];
  }
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++) store_some(c + i * ldc + j * LANES, sum[i][j], lanes);
}

/* The same for any number of rows up to BLOCK; the compiler makes a loop for each. */
#define ROWS(count) \
  case count: multiply(count, vectors, lanes, add, length, a, lda, b, ldb, b_next, c, ldc); break;
static inline __attribute__((always_inline)) void multiply_rows(long rows, const long vectors, const long lanes,
                                                                const int add, long length, const float *a, long lda,
                                                                const float *b, long ldb, long b_next, float *c,
                                                                long ldc) {
  switch (rows) {
    ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#if BLOCK == 8
    ROWS(5) ROWS(6) ROWS(7) ROWS(8)
#endif
  }
}

/* Queries of a block [queries, size] with one key-value head, and where their scores are. */
typedef struct {
  const PagedCache *cache;
  long head, queries;
  const float *q;
  float *scores; /* [queries, ld] */
  long ld;
  float *sums; /* [queries, size] */
} Block;

/* Products with the keys of positions 0 .. length - 1 of these pages; rounded up to whole panels. */
static void multiply_keys(const Block *block, const int32_t *pages, long length) {
  const long size = block->cache->size, q = block->queries, ld = block->ld;
  for (long position = 0; position < length; position += PANEL) {
    const float *keys = keys_of(block->cache, pages[position / PAGE], block->head) + position % PAGE * size;
    float *scores = block->scores + position;
#if LANES == PANEL
    if (position % PAGE == 0 && length - position > PANEL) {
      multiply_rows(q, 2, LANES, 0, size, block->q, size, keys, PANEL, PANEL * size, scores, ld);
      position += PANEL;
    } else
      multiply_rows(q, 1, LANES, 0, size, block->q, size, keys, PANEL, 0, scores, ld);
#else
    for (long half = 0; half < PANEL; half += 2 * LANES)
      multiply_rows(q, 2, LANES, 0, size, block->q, size, keys + half, PANEL, LANES, scores + half, ld);
#endif
  }
}

/* The sums take on the values of positions 0 .. length - 1 of these pages, times the scores. */
static void add_values(const Block *block, const int32_t *pages, long length) {
  const long size = block->cache->size, q = block->queries, ld = block->ld;
  for (long position = 0; position < length; position += PAGE) {
    const float *values = values_of(block->cache, pages[position / PAGE], block->head);
    const float *scores = block->scores + position;
    const long count = smaller(PAGE, length - position);
    long d = 0;
    for (; d + 2 * LANES <= size; d += 2 * LANES)
      multiply_rows(q, 2, LANES, 1, count, scores, ld, values + d, size, LANES, block->sums + d, size);
    for (; d < size; d += LANES)
      multiply_rows(q, 1, size - d, 1, count, scores, ld, values + d, size, 0, block->sums + d, size);
  }
}

/* Scores from position i on; those that are not among the first lanes as minus infinity. */
static inline vec load_scores(const float *x, long lanes) {
  static const int32_t order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  if (lanes >= LANES) return load(x);
  ivec lane;
  memcpy(&lane, order, sizeof lane);
  return choose(lane < (int32_t)lanes, load(x), splat(-__builtin_inff()));
}

static inline vec largest_scores(const float *scores, long length, vec most) {
  EACH_VECTOR(length, most = max_vec(most, load_scores(scores + i, lanes)););
  return most;
}

/* Scores become exp(scale (score - top)). */
static inline vec exponentiate(float *scores, long length, float top, float scale, vec sum) {
  EACH_VECTOR(length, {
    const vec e = exp_vec((load_scores(scores + i, lanes) - top) * scale);
    store(scores + i, e);
    sum += e;
  });
  return sum;
}

/* Exponentials of the scores of the prompt and of the own positions, relative to the largest; returns their sum. */
static float soften(float *prompt, long prompt_length, float *own, long own_length, float scale) {
  vec most = largest_scores(prompt, prompt_length, splat(-__builtin_inff()));
  const float top = max_lanes(largest_scores(own, own_length, most));
  const vec sum = exponentiate(prompt, prompt_length, top, scale, (vec){0});
  return sum_lanes(exponentiate(own, own_length, top, scale, sum));
}

/* Queries of a group for one key-value head: number i is of the group's row i / shared and head i % shared of those. */
typedef struct {
  const DecodeAttention *call;
  long group, head, shared;
} Queries;

static inline long row_of(const Queries *all, long i) { return all->call->group_starts[all->group] + i / all->shared; }
static inline long column_of(const Queries *all, long i) {
  return (all->head * all->shared + i % all->shared) * all->call->cache.size;
}

/* The queries of a block from i on that are of the same row: they share its own positions. */
static inline Block same_row(const Block *block, const Queries *all, long first, long i, long own) {
  Block part = *block;
  part.queries = smaller(block->queries - i, all->shared - (first + i) % all->shared);
  part.q += i * block->cache->size;
  part.scores += i * block->ld + own;
  part.sums += i * block->cache->size;
  return part;
}

/* Writes out for count queries from the first on; ld is the length of a row of scores, the own ones from own on. */
static void attend(const Queries *all, long first, long count, long own, long ld, float *scratch) {
  const DecodeAttention *call = all->call;
  const long size = call->cache.size, prompt_length = call->prompt_lengths[all->group];
  const int32_t *prompt_pages = call->prompt_pages + all->group * call->most_prompt_pages;
  float *scores = scratch, *q = scores + count * ld, *sums = q + count * size;
  const Block block = {&call->cache, all->head, count, q, scores, ld, sums};
  for (long i = 0; i < count; i++)
    memcpy(q + i * size, call->q + row_of(all, first + i) * call->ldq + column_of(all, first + i),
           sizeof(float) * (size_t)size);
  memset(sums, 0, sizeof(float) * (size_t)(count * size));

  multiply_keys(&block, prompt_pages, prompt_length);
  for (long i = 0; i < count;) {
    const long row = row_of(all, first + i);
    const Block part = same_row(&block, all, first, i, own);
    multiply_keys(&part, call->own_pages + row * call->most_own_pages, call->own_lengths[row]);
    i += part.queries;
  }
  float totals[BLOCK];
  for (long i = 0; i < count; i++) {
    float *row = scores + i * ld;
    totals[i] = soften(row, prompt_length, row + own, call->own_lengths[row_of(all, first + i)], call->scale);
  }
  add_values(&block, prompt_pages, prompt_length);
  for (long i = 0; i < count;) {
    const long row = row_of(all, first + i);
    const Block part = same_row(&block, all, first, i, own);
    add_values(&part, call->own_pages + row * call->most_own_pages, call->own_lengths[row]);
    i += part.queries;
  }
  for (long query = 0; query < count; query++) {
    const float *from = sums + query * size, factor = 1 / totals[query];
    float *to = call->out + row_of(all, first + query) * call->ldo + column_of(all, first + query);
    EACH_VECTOR(size, store_some(to + i, load_some(from + i, lanes) * factor, lanes););
  }
}

void NAME(decode_attention)(const DecodeAttention *call, float *scratch) {
  for (long group = 0; group < call->groups; group++) {
    const long first_row = call->group_starts[group], rows = call->group_starts[group + 1] - first_row;
    long longest = 0;
    for (long row = first_row; row < first_row + rows; row++)
      if (call->own_lengths[row] > longest) longest = call->own_lengths[row];
    const long own = rounded_up(call->prompt_lengths[group], PANEL), ld = own + rounded_up(longest, PANEL);
    long block = SCRATCH_FLOATS / (ld + 2 * call->cache.size);
    if (block > BLOCK) block = BLOCK;
    for (long head = 0; head < call->cache.kv_heads; head++) {
      const Queries all = {call, group, head, call->heads / call->cache.kv_heads};
      for (long first = 0; first < rows * all.shared; first += block)
        attend(&all, first, smaller(block, rows * all.shared - first), own, ld, scratch);
    }
  }
}
