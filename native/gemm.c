/*
 * Matrix products: gemm, and pack for a B that is used many times.
 *
 * Three levels of blocks, each sized for a level of the caches:
 *   - k is cut in blocks of kc (block_length: a function of k alone). Within a block, an element of the result is one
 *     chain of fused multiply-adds over p = 0 .. kc - 1; the blocks are then added to c in their order. So a row's
 *     bits depend neither on m nor on which tile the row falls in.
 *   - B's kc rows are packed in panels [kc][PANEL] (L2 or L3; each is read once per group of rows).
 *   - A's rows are taken in tiles of at most TILE_ROWS, packed as [kc][rows]; GROUP tiles (L2) meet a panel while it
 *     is near.
 * The micro-kernel multiplies a tile by a panel, with the whole [rows, PANEL] result in registers.
 */
#include "kernels.h"
#include "lines.h"

/* Results of a tile times a panel: TILE_ROWS * 2 vectors, beside two of the panel and one of the tile. */
#define PANEL (2 * LANES)
#if LANES == 16
#define TILE_ROWS 14
#define MOST_KC 512
#define EACH_TILE(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define TILE_ROWS 6
#define MOST_KC 384
#define EACH_TILE(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif

#define GROUP 8
/* Columns whose panels are packed together. Scratch: packed A, what its last store writes past it, B. */
#define MOST_NC 2048
#define PACKED_A_FLOATS (GROUP * TILE_ROWS * MOST_KC + 64)
_Static_assert(PACKED_A_FLOATS + (long)MOST_KC * MOST_NC <= SCRATCH_FLOATS, "scratch");

/* The length of all blocks of k but the last. */
static long block_length(long k) {
  long blocks = (k + MOST_KC - 1) / MOST_KC;
  return blocks <= 1 ? k : round_up((k + blocks - 1) / blocks, LANES);
}

/* Rows p0 .. p0 + kc - 1 and columns j0 .. j0 + n - 1 of B, as panels. */
static void pack_block(long p0, long kc, long j0, long n, const float *b, long ldb, int transpose_b, float *packed) {
  for (long panel = 0; panel < n; panel += PANEL) {
    long width = min_long(PANEL, round_up(n - panel, LANES));
    for (long lane = 0; lane < width; lane += LANES) {
      long j = panel + lane, count = min_long(LANES, n - j);
      float *to = packed + panel * kc + lane;
      if (transpose_b) pack_lines(count, kc, b + (j0 + j) * ldb + p0, ldb, to, width);
      else pack_strided(count, kc, b + p0 * ldb + j0 + j, ldb, to, width);
    }
  }
}

/* A whole B is packed as its blocks of k, one after the other; in each, the panels of all columns. */
long NAME(packed_length)(long n, long k) { return round_up(n, LANES) * k; }

void NAME(pack)(long n, long k, const float *b, long ldb, int transpose_b, float *packed) {
  long most = block_length(k);
  for (long p = 0; p < k; p += most)
    pack_block(p, min_long(most, k - p), 0, n, b, ldb, transpose_b, packed + p * round_up(n, LANES));
}

/* Where a micro-kernel's result goes: c = alpha * sum + addend + bias (each of them NULL for none), width columns. */
typedef struct {
  float alpha;
  const float *addend;
  long ld_addend;
  const float *bias;
  float *c;
  long ldc;
  long width;
} Target;

INLINE void write_tile(const int rows, const int vectors, vec sums[TILE_ROWS][2], const Target *t, const int whole) {
  const vec alpha = splat(t->alpha), none = {0};
#pragma GCC unroll 2
  for (int v = 0; v < vectors; v++) {
    long j = v * LANES, lanes = whole ? LANES : t->width - j;
    vec bias = t->bias ? load_some(t->bias + j, lanes) : none;
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
      vec addend = t->addend ? load_some(t->addend + i * t->ld_addend + j, lanes) : none;
      store_some(t->c + i * t->ldc + j, fma_vec(alpha, sums[i][v], addend) + bias, lanes);
    }
  }
}

/* What a micro-kernel prefetches into L2, evenly spread over its time: from ahead on, step floats for each p. */
typedef struct {
  const float *ahead;
  long step;
} Prefetch;

/* A tile a [k][rows] times a panel b [k][vectors * LANES]. */
INLINE void multiply_tile(const int rows, const int vectors, long k, const float *a, const float *b, Prefetch prefetch,
                          const Target *t) {
  vec sums[TILE_ROWS][2];
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++) {
    __builtin_prefetch(t->c + i * t->ldc, 1);
    if (vectors == 2) __builtin_prefetch(t->c + i * t->ldc + LANES, 1);
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sums[i][v] = (vec){0};
  }
#pragma GCC unroll 2
  for (long p = 0; p < k; p++) {
    vec right[2];
    __builtin_prefetch(prefetch.ahead, 0, 2);
    /* A tile of few rows is alone, so the next panel is all its own: two cache lines for each p. */
    if (rows <= 10 && PANEL > 16) __builtin_prefetch(prefetch.ahead + 16, 0, 2);
    prefetch.ahead += prefetch.step;
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) right[v] = load(b + v * LANES);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
      vec left = splat(a[i]);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sums[i][v] = fma_vec(left, right[v], sums[i][v]);
    }
    a += rows;
    b += vectors * LANES;
  }
  if (t->width == vectors * LANES) write_tile(rows, vectors, sums, t, 1);
  else write_tile(rows, vectors, sums, t, 0);
}

typedef void Micro(long k, const float *a, const float *b, Prefetch, const Target *);
#define DEFINE_TILE(rows)                                                                                              \
  static void tile_##rows##_1(long k, const float *a, const float *b, Prefetch prefetch, const Target *t) {            \
    multiply_tile(rows, 1, k, a, b, prefetch, t);                                                                      \
  }                                                                                                                    \
  static void tile_##rows##_2(long k, const float *a, const float *b, Prefetch prefetch, const Target *t) {            \
    multiply_tile(rows, 2, k, a, b, prefetch, t);                                                                      \
  }
EACH_TILE(DEFINE_TILE)
#define TILE_PAIR(rows) {tile_##rows##_1, tile_##rows##_2},
/* [rows - 1][vectors - 1] */
static Micro *const micro_kernels[TILE_ROWS][2] = {EACH_TILE(TILE_PAIR)};

/* The first row of a tile, when m rows are cut in so many of as equal heights as may be. */
static long tile_start(long m, long tiles, long tile) { return tile * (m / tiles) + min_long(tile, m % tiles); }

/*
 * B may come from far (a decoding step reads all weights, for few rows): while a group's tiles meet panel j, each of
 * them prefetches its share of the next panel.
 */
static Prefetch prefetch_for(const float *b, long kc, long j, long n, long tile, long tiles) {
  long step = (PANEL + tiles - 1) / tiles, next = j + PANEL < n ? j + PANEL : 0;
  return (Prefetch){b + next * kc + tile * kc * step, step};
}

/* Columns j0 .. j0 + n - 1 of the block p0 .. p0 + kc - 1 of k, whose B is packed. */
static void multiply_block(const Gemm *g, long j0, long n, long p0, long kc, const float *b, float *packed_a) {
  long tiles = (g->m + TILE_ROWS - 1) / TILE_ROWS;
  for (long group = 0; group < tiles; group += GROUP) {
    long group_end = min_long(group + GROUP, tiles), first = tile_start(g->m, tiles, group);
    for (long tile = group; tile < group_end; tile++) {
      long i = tile_start(g->m, tiles, tile), rows = tile_start(g->m, tiles, tile + 1) - i;
      float *to = packed_a + (i - first) * kc;
      if (g->transpose_a) pack_strided(rows, kc, g->a + p0 * g->lda + i, g->lda, to, rows);
      else pack_lines(rows, kc, g->a + i * g->lda + p0, g->lda, to, rows);
    }
    for (long j = 0; j < n; j += PANEL) {
      long width = min_long(PANEL, n - j), column = j0 + j;
      for (long tile = group; tile < group_end; tile++) {
        long i = tile_start(g->m, tiles, tile), rows = tile_start(g->m, tiles, tile + 1) - i;
        float *c = g->c + i * g->ldc + column;
        const float *addend = p0 > 0 ? c : g->addend ? g->addend + i * g->ld_addend + column : 0;
        Target target = {g->alpha, addend, p0 > 0 ? g->ldc : g->ld_addend, p0 > 0 || !g->bias ? 0 : g->bias + column,
                         c, g->ldc, width};
        Prefetch prefetch = prefetch_for(b, kc, j, n, tile - group, group_end - group);
        micro_kernels[rows - 1][width > LANES](kc, packed_a + (i - first) * kc, b + j * kc, prefetch, &target);
      }
    }
  }
}

void NAME(gemm)(const Gemm *g, float *scratch) {
  float *packed_b = scratch + PACKED_A_FLOATS;
  long most_kc = block_length(g->k), most_nc = g->packed_b ? g->n : MOST_NC;
  if (g->m <= 0) return;
  for (long j = 0; j < g->n; j += most_nc) {
    long n = min_long(most_nc, g->n - j);
    /* At least once: with k = 0 the result is addend + bias. */
    long p = 0;
    do {
      long kc = min_long(most_kc, g->k - p);
      const float *b = packed_b;
      if (g->packed_b) b = g->b + p * round_up(g->n, LANES);
      else pack_block(p, kc, j, n, g->b, g->ldb, g->transpose_b, packed_b);
      multiply_block(g, j, n, p, kc, b, scratch);
      p += kc;
    } while (p < g->k);
  }
}
