/*
 * Attention of the tokens being decoded, over keys and values in pages.
 *
 * The queries of a group that share a key-value head are taken BLOCK at a time, so that what is loaded of the prompt
 * serves all of them; then come each row's own positions. Of a CHUNK of positions there are first the scores, then
 * their softmax, then the sums of values; when a score is larger than all in earlier chunks, what these have come to is
 * scaled down. Each score and each output element is a chain of additions in the order of its terms, whichever queries
 * are in its block. A row's own positions serve that row alone, so that memory sets the speed there: they are fetched
 * ahead, the first of them during the products with the prompt, which the caches have.
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

/* Positions whose softmax is taken together. */
#define CHUNK (8 * PAGE)
_Static_assert(BLOCK * (CHUNK + 2L * MOST_HEAD_SIZE) <= SCRATCH_FLOATS, "scratch");

/* Floats of a line of memory. */
#define LINE 16

/* What the sums of one query take in registers. */
#define MOST_VECTORS (64 / LANES)

static inline long rounded_up(long count, long unit) { return (count + unit - 1) / unit * unit; }
static inline long smaller(long a, long b) { return a < b ? a : b; }

static inline long floats_per_head(const PagedCache *cache) { return 2 * PAGE * cache->size; }

/* Keys of a head in a page; its values are PAGE * size floats on. */
static inline float *keys_of(const PagedCache *cache, long page, long head) {
  return cache->pages + ((page * cache->layers + cache->layer) * cache->kv_heads + head) * floats_per_head(cache);
}

/* Turns the keys of a panel that is full now, from [PANEL][size] into [size][PANEL]. */
static void turn(float *panel, long size) {
  float keys[PANEL * MOST_HEAD_SIZE];
  memcpy(keys, panel, sizeof(float) * (size_t)(PANEL * size));
  for (long d = 0; d < size; d++)
    for (long i = 0; i < PANEL; i++) panel[d * PANEL + i] = keys[i * size + d];
}

/* How far into a head's values a place's are; and into its keys, until their panel is full. */
static inline long offset_of(const PagedCache *cache, int32_t place) { return place % PAGE * cache->size; }

/* Fetches the memory that a place is to be written to. */
static inline void fetch_place(const PagedCache *cache, int32_t place, long head) {
  float *keys = keys_of(cache, place / PAGE, head) + offset_of(cache, place), *values = keys + PAGE * cache->size;
  for (long d = 0; d < cache->size; d += LINE) {
    __builtin_prefetch(keys + d, 1);
    __builtin_prefetch(values + d, 1);
  }
}

void NAME(cache_write)(const PagedCache *cache, long rows, const int32_t *places, const float *k, long ldk,
                       const float *v, long ldv) {
  const long size = cache->size;
  for (long row = 0; row < rows; row++) {
    for (long head = 0; head < cache->kv_heads; head++) {
      if (row + 1 < rows) fetch_place(cache, places[row + 1], head);
      const float *key = k + row * ldk + head * size, *value = v + row * ldv + head * size;
      float *keys = keys_of(cache, places[row] / PAGE, head) + offset_of(cache, places[row]);
      float *values = keys + PAGE * size;
      EACH_VECTOR(size, {
        store_some(keys + i, load_some(key + i, lanes), lanes);
        store_some(values + i, load_some(value + i, lanes), lanes);
      });
      if (places[row] % PANEL == PANEL - 1) turn(keys - (PANEL - 1) * size, size);
    }
  }
}

/* Memory to be fetched while something else is computed. */
typedef struct {
  const float *from, *end;
} Ahead;

/*
 * c[i][j] = (with factors: factors[i] c[i][j] +) the sum over p of a[i][p] b[p][j], for so many rows i and vectors of
 * columns j, the last with so many lanes. Vector j of b's row p is at p * ldb + j * b_next. With each term so many
 * lines of what is ahead are fetched.
 */
static inline __attribute__((always_inline)) void multiply(const long rows, const long vectors, const long lanes,
                                                           const float *factors, long length, const float *a, long lda,
                                                           const float *b, long ldb, long b_next, float *c, long ldc,
                                                           Ahead *ahead, long lines) {
  vec sum[BLOCK][MOST_VECTORS];
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++)
      sum[i][j] = factors ? load_some(c + i * ldc + j * LANES, lanes) * factors[i] : (vec){0};
#pragma GCC unroll 4
  for (long p = 0; p < length; p++) {
    vec column[MOST_VECTORS];
    for (long j = 0; j < vectors; j++) column[j] = load_some(b + p * ldb + j * b_next, lanes);
    for (long i = 0; i < rows; i++)
      for (long j = 0; j < vectors; j++) sum[i][j] += a[i * lda + p] * column[j];
    for (long line = 0; line < lines && ahead->from < ahead->end; line++) {
      __builtin_prefetch(ahead->from, 0, 2);
      ahead->from += LINE;
    }
  }
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < vectors; j++) store_some(c + i * ldc + j * LANES, sum[i][j], lanes);
}

/* The same for any number of rows up to BLOCK; the compiler makes a loop for each. */
#define ROWS(count) \
  case count: multiply(count, vectors, lanes, factors, length, a, lda, b, ldb, b_next, c, ldc, ahead, lines); break;
static inline __attribute__((always_inline)) void multiply_rows(long rows, const long vectors, const long lanes,
                                                                const float *factors, long length, const float *a,
                                                                long lda, const float *b, long ldb, long b_next,
                                                                float *c, long ldc, Ahead *ahead, long lines) {
  switch (rows) {
    ROWS(1) ROWS(2) ROWS(3) ROWS(4)
#if BLOCK == 8
    ROWS(5) ROWS(6) ROWS(7) ROWS(8)
#endif
  }
}

/* How many lines of what is ahead are to be fetched with each of so many terms. */
static inline long lines_per_term(const Ahead *ahead, long terms) {
  return (ahead->end - ahead->from + LINE * terms - 1) / (LINE * terms);
}

/* Queries of a block with one key-value head, and their scores of a chunk's positions. */
typedef struct {
  long queries, size;
  const float *q;  /* [queries, size] */
  float *scores;   /* [queries, CHUNK] */
  float *sums;     /* [queries, size] */
  float *factors;  /* [queries] */
} Block;

/* Products with the keys of so many positions [positions, size]. */
static inline __attribute__((always_inline)) void multiply_positions(const Block *block, const float *keys,
                                                                     const long positions, float *scores) {
  for (long query = 0; query < block->queries; query++) {
    const float *q = block->q + query * block->size;
    vec sum[4] = {0};
    EACH_VECTOR(block->size, {
      const vec part = load_some(q + i, lanes);
      for (long j = 0; j < positions; j++) sum[j] += part * load_some(keys + j * block->size + i, lanes);
    });
    for (long j = 0; j < positions; j++) scores[query * CHUNK + j] = sum_lanes(sum[j]);
  }
}

/* Products with the keys of a page's first positions. */
static void multiply_keys(const Block *block, const float *keys, long count, float *scores, Ahead ahead) {
  const long queries = block->queries, size = block->size, full = count / PANEL * PANEL;
#if LANES == PANEL
  const long lines = lines_per_term(&ahead, size);
  if (full > PANEL)
    multiply_rows(queries, 2, LANES, NULL, size, block->q, size, keys, PANEL, PANEL * size, scores, CHUNK, &ahead,
                  lines);
  else if (full > 0)
    multiply_rows(queries, 1, LANES, NULL, size, block->q, size, keys, PANEL, 0, scores, CHUNK, &ahead, lines);
#else
  const long lines = lines_per_term(&ahead, PAGE / PANEL * size);
  for (long at = 0; at < full; at += PANEL)
    multiply_rows(queries, 2, LANES, NULL, size, block->q, size, keys + at * size, PANEL, LANES, scores + at, CHUNK,
                  &ahead, lines);
#endif
  for (; ahead.from < ahead.end; ahead.from += LINE) __builtin_prefetch(ahead.from, 0, 2);
  long at = full;
  for (; at + 4 <= count; at += 4) multiply_positions(block, keys + at * size, 4, scores + at);
  for (; at < count; at++) multiply_positions(block, keys + at * size, 1, scores + at);
}

/* The sums, times the factors, take on the values of a page's first positions, times the scores. */
static void add_values(const Block *block, const float *values, long count, const float *scores, Ahead ahead) {
  const long queries = block->queries, size = block->size, wide = MOST_VECTORS * LANES, narrow = 2 * LANES;
  const float *factors = block->factors;
  long d = 0;
  if (queries == 1) {
    const long lines = lines_per_term(&ahead, count * (rounded_up(size, wide) / wide));
    for (; d + wide <= size; d += wide)
      multiply(1, MOST_VECTORS, LANES, factors, count, scores, CHUNK, values + d, size, LANES, block->sums + d, size,
               &ahead, lines);
  }
  const long lines = lines_per_term(&ahead, count * (rounded_up(size, narrow) / narrow));
  for (; d + narrow <= size; d += narrow)
    multiply_rows(queries, 2, LANES, factors, count, scores, CHUNK, values + d, size, LANES, block->sums + d, size,
                  &ahead, lines);
  for (; d < size; d += LANES)
    multiply_rows(queries, 1, size - d, factors, count, scores, CHUNK, values + d, size, 0, block->sums + d, size,
                  &ahead, lines);
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

/* Of a query so far: its largest score, and the sum of the exponentials relative to that one. */
typedef struct {
  float top, total;
} Softmax;

/* What every finite score is to exceed: were it infinite, its difference to an infinite score would be no number. */
#define LEAST_TOP -3.4e38f

/* Scores become exp(scale (score - top)); what earlier ones added up to is to be multiplied by what is returned. */
static inline float soften(Softmax *so_far, float *scores, long length, float scale) {
  const float top = max_lanes(largest_scores(scores, length, splat(so_far->top)));
  const float factor = exp_vec(splat((so_far->top - top) * scale))[0];
  vec sum = {0};
  EACH_VECTOR(length, {
    const vec e = exp_vec((load_scores(scores + i, lanes) - top) * scale);
    store(scores + i, e);
    sum += e;
  });
  *so_far = (Softmax){top, so_far->total * factor + sum_lanes(sum)};
  return factor;
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

/* The own positions of a block's rows, page by page. */
typedef struct {
  const DecodeAttention *call;
  long head, last_row, row, position;
} OwnPages;

/* The page after which there are no more is that of a row after the last. */
static inline void advance(OwnPages *own) {
  own->position += PAGE;
  if (own->position < own->call->own_lengths[own->row]) return;
  own->row++;
  own->position = 0;
}
static inline int is_over(const OwnPages *own) { return own->row > own->last_row; }
static inline long count_of(const OwnPages *own) {
  return smaller(PAGE, own->call->own_lengths[own->row] - own->position);
}
static inline const float *own_keys(const OwnPages *own) {
  const DecodeAttention *call = own->call;
  const long page = call->own_pages[own->row * call->most_own_pages + own->position / PAGE];
  return keys_of(&call->cache, page, own->head);
}

/* What is to be fetched of a page. */
typedef struct {
  Ahead keys, values;
} PageAhead;

static inline PageAhead fetch_next(OwnPages *own) {
  if (is_over(own)) return (PageAhead){{0}, {0}};
  const long size = own->call->cache.size, length = count_of(own) * size;
  const float *keys = own_keys(own), *values = keys + PAGE * size;
  advance(own);
  return (PageAhead){{keys, keys + length}, {values, values + length}};
}

/* The block's sums and softmax take on the positions 0 .. length - 1 of these pages. */
static void attend_to(const Block *block, Softmax *softmax, const PagedCache *cache, long head, const int32_t *pages,
                      long length, float scale, OwnPages *own) {
  for (long start = 0; start < length; start += CHUNK) {
    const long end = smaller(length, start + CHUNK);
    PageAhead ahead[CHUNK / PAGE];
    for (long at = start; at < end; at += PAGE) {
      PageAhead *next = &ahead[(at - start) / PAGE];
      *next = fetch_next(own);
      multiply_keys(block, keys_of(cache, pages[at / PAGE], head), smaller(PAGE, end - at), block->scores + at - start,
                    next->keys);
    }
    for (long i = 0; i < block->queries; i++)
      block->factors[i] = soften(&softmax[i], block->scores + i * CHUNK, end - start, scale);
    for (long at = start; at < end; at += PAGE) {
      add_values(block, keys_of(cache, pages[at / PAGE], head) + PAGE * block->size, smaller(PAGE, end - at),
                 block->scores + at - start, ahead[(at - start) / PAGE].values);
      for (long i = 0; i < block->queries; i++) block->factors[i] = 1;
    }
  }
}

/* Writes out for count queries from the first on. */
static void attend(const Queries *all, long first, long count, float *scratch) {
  const DecodeAttention *call = all->call;
  const long size = call->cache.size, prompt_length = call->prompt_lengths[all->group];
  const int32_t *prompt_pages = call->prompt_pages + all->group * call->most_prompt_pages;
  float *scores = scratch, *q = scores + BLOCK * CHUNK, *sums = q + BLOCK * size, factors[BLOCK];
  Softmax softmax[BLOCK];
  for (long i = 0; i < count; i++) {
    softmax[i] = (Softmax){LEAST_TOP, 0};
    memcpy(q + i * size, call->q + row_of(all, first + i) * call->ldq + column_of(all, first + i),
           sizeof(float) * (size_t)size);
  }
  memset(sums, 0, sizeof(float) * (size_t)(count * size));

  OwnPages own = {call, all->head, row_of(all, first + count - 1), row_of(all, first), 0};
  const Block block = {count, size, q, scores, sums, factors};
  attend_to(&block, softmax, &call->cache, all->head, prompt_pages, prompt_length, call->scale, &own);
  if (prompt_length == 0) advance(&own); /* The first page is read at once. */
  for (long i = 0; i < count;) {
    /* Those of the same row share its own positions. */
    const long queries = smaller(count - i, all->shared - (first + i) % all->shared), row = row_of(all, first + i);
    const Block part = {queries, size, q + i * size, scores, sums + i * size, factors};
    attend_to(&part, softmax + i, &call->cache, all->head, call->own_pages + row * call->most_own_pages,
              call->own_lengths[row], call->scale, &own);
    i += queries;
  }
  for (long query = 0; query < count; query++) {
    const float *from = sums + query * size, factor = 1 / softmax[query].total;
    float *to = call->out + row_of(all, first + query) * call->ldo + column_of(all, first + query);
    EACH_VECTOR(size, store_some(to + i, load_some(from + i, lanes) * factor, lanes););
  }
}

void NAME(decode_attention)(const DecodeAttention *call, float *scratch) {
  for (long group = 0; group < call->groups; group++) {
    const long shared = call->heads / call->cache.kv_heads;
    const long queries = (call->group_starts[group + 1] - call->group_starts[group]) * shared;
    for (long head = 0; head < call->cache.kv_heads; head++) {
      const Queries all = {call, group, head, shared};
      for (long first = 0; first < queries; first += BLOCK)
        attend(&all, first, smaller(BLOCK, queries - first), scratch);
    }
  }
}
