/*
 * Matrix products of float32 on the tile unit (AMX), which multiplies bfloat16.
 *
 * A float32's 24 bits are cut in three bfloat16 of 8 bits each, exactly: x = x1 + x2 + x3. Of the nine products of
 * two such sums, the six of a1 b1, a1 b2, a2 b1, a2 b2, a1 b3, a3 b1 are summed in float32; the three others are
 * about 2^-24 of a b, and never above 2^-21. The unit rounds once where it adds 32 products to a sum, after two
 * chains of 16: less often than one chain of fused multiply-adds. Measured against double precision (k = 128 .. 8192;
 * normal, log-normal, all-positive numbers, and magnitudes of 2^-20 .. 2^20), maximum and RMS errors were 0.25 to 1.1
 * times those of gemm.c with AVX-512. Denormal numbers (and parts) count as 0, and an infinity gives NaN. The caller
 * has asked the system for leave to use tiles.
 *
 * The blocks are those of gemm.c: k in blocks of kc, a function of k alone, added to c in their order; a row's bits
 * depend neither on m nor on its place. A and B are packed in tiles of 16 lines (rows of A, columns of B) and steps
 * of 32 along k:
 *   packed[tile][step][part][16][32], part = x1, x2, x3.
 * A tile of A has a line in each row; one of B has in row r the elements p = r and p = r + 16 of every line, side by
 * side, and A's rows are shuffled to match: p = 0, 16, 1, 17 .. 15, 31.
 */
#include "kernels.h"
#include "lines.h"

#define TILE 16
#define STEP 32
/* bfloat16 numbers in a part, and in the three of them. */
#define PART (TILE * STEP)
#define PARTS (3 * PART)
#define MOST_KC 384
/* Tiles of A packed together. */
#define GROUP 12
/* Columns whose tiles are packed together, behind the packed A. */
#define MOST_NC 2048
#define FLOATS(lines, kc) ((lines) * (kc) * 3 / 2)
#define PACKED_A_FLOATS FLOATS((long)GROUP * TILE, MOST_KC)
_Static_assert(PACKED_A_FLOATS + FLOATS((long)MOST_NC, MOST_KC) <= SCRATCH_FLOATS, "scratch");

/* The length of all blocks of k but the last. */
static long block_length(long k) {
  long blocks = (k + MOST_KC - 1) / MOST_KC;
  return blocks <= 1 ? round_up(k, STEP) : round_up((k + blocks - 1) / blocks, STEP);
}

static long steps_of(long kc) { return (kc + STEP - 1) / STEP; }

/* block[TILE][TILE] from x[rows][ld], or from its transpose x[lanes][ld]; 0 where rows end. */
static void load_block(const float *x, long ld, long rows, long lanes, int transposed, float *block) {
  if (lanes <= 0) rows = 0;
  if (rows > 0 && transposed) {
    pack_lines(lanes, rows, x, ld, block, TILE);
    for (long r = 0; lanes < TILE && r < rows; r++) store(block + r * TILE, load_some(block + r * TILE, lanes));
  } else {
    for (long r = 0; r < rows; r++) store(block + r * TILE, load_some(x + r * ld, lanes));
  }
  for (long r = rows > 0 ? rows : 0; r < TILE; r++) store(block + r * TILE, (vec){0});
}

/* The three parts of two blocks [TILE][ld], whose elements become neighbours. */
static void split_blocks(const float *even, const float *odd, long ld, uint16_t *parts) {
  const ivec high_half = (ivec)_mm512_set1_epi32((int)0xffff0000);
#pragma GCC unroll 4
  for (long r = 0; r < TILE; r++) {
    vec x = load(even + r * ld), y = load(odd + r * ld);
#pragma GCC unroll 3
    for (int part = 0; part < 3; part++) {
      ivec x_part = (ivec)x & high_half, y_part = (ivec)y & high_half;
      store((float *)(parts + part * PART + r * STEP), (vec)((ivec)_mm512_srli_epi32((__m512i)x, 16) | y_part));
      x -= (vec)x_part;
      y -= (vec)y_part;
    }
  }
}

/* count lines, of length kc: contiguous ones (element p of line i is x[i * ld + p]), or not (x[p * ld + i]). */
static void pack_tile(long count, long kc, const float *x, long ld, int contiguous, int lines_are_rows,
                      uint16_t *packed) {
  float blocks[2][TILE * TILE] __attribute__((aligned(64)));
  const long p_stride = contiguous ? 1 : ld;
  for (long p = 0; p < kc; p += STEP, packed += PARTS) {
    const float *from = x + p * p_stride;
    if (count == TILE && p + STEP <= kc && contiguous == lines_are_rows) {
      split_blocks(from, from + TILE * p_stride, ld, packed);
      continue;
    }
    for (long half = 0; half < 2; half++) {
      long length = min_long(TILE, kc - p - half * TILE);
      const float *half_from = length > 0 ? from + half * TILE * p_stride : from;
      if (lines_are_rows) load_block(half_from, ld, count, length, !contiguous, blocks[half]);
      else load_block(half_from, ld, length, count, contiguous, blocks[half]);
    }
    split_blocks(blocks[0], blocks[1], TILE, packed);
  }
}

/* Any count of lines. Memory is read in its order: where lines are not contiguous, a step of all tiles at a time. */
static void pack_tiles(long count, long kc, const float *x, long ld, int contiguous, int lines_are_rows,
                       uint16_t *packed) {
  const long tile_length = steps_of(kc) * PARTS, length = contiguous ? kc : STEP;
  for (long p = 0; p < kc; p += length, packed += PARTS) {
    for (long i = 0; i < count; i += TILE) {
      const float *from = contiguous ? x + i * ld : x + p * ld + i;
      pack_tile(min_long(TILE, count - i), min_long(length, kc - p), from, ld, contiguous, lines_are_rows,
                packed + i / TILE * tile_length);
    }
  }
}

/* Rows p0 .. p0 + kc - 1 and columns j0 .. j0 + n - 1 of B. */
static void pack_block(long p0, long kc, long j0, long n, const float *b, long ldb, int transpose_b, uint16_t *packed) {
  pack_tiles(n, kc, transpose_b ? b + j0 * ldb + p0 : b + p0 * ldb + j0, ldb, transpose_b, 0, packed);
}

long NAME(packed_length)(long n, long k) { return FLOATS(round_up(n, TILE), round_up(k, STEP)); }

void NAME(pack)(long n, long k, const float *b, long ldb, int transpose_b, float *packed) {
  long most = block_length(k);
  for (long p = 0; p < k; p += most) {
    float *block = packed + FLOATS(round_up(n, TILE), p);
    pack_block(p, min_long(most, k - p), 0, n, b, ldb, transpose_b, (uint16_t *)block);
  }
}

/* All eight tile registers have 16 rows of 64 bytes. */
static const struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_configuration = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* A product is of two tiles of A and two of B, or of one where there is no second one: SUMS results each way. */
#define SUMS (2 * TILE)
/* Tile registers 4 to 7: one part of the upper and lower tile of A, and of the left and right tile of B. */
#define LOAD_UPPER(part) _tile_loadd(4, a + (part) * PART, 64)
#define LOAD_LOWER(part) \
  if (below) _tile_loadd(5, a + next_tile + (part) * PART, 64)
#define LOAD_LEFT(part) _tile_loadd(6, b + (part) * PART, 64)
#define LOAD_RIGHT(part) \
  if (right) _tile_loadd(7, b + next_tile + (part) * PART, 64)
/* Tile registers 0 to 3: the sums. */
#define UPPER_LEFT _tile_dpbf16ps(0, 4, 6)
#define UPPER_RIGHT \
  if (right) _tile_dpbf16ps(1, 4, 7)
#define LOWER_LEFT \
  if (below) _tile_dpbf16ps(2, 5, 6)
#define LOWER_RIGHT \
  if (below && right) _tile_dpbf16ps(3, 5, 7)

/* Sums [SUMS][SUMS], and where they go: c[rows, columns] = alpha * sums + addend + bias; addend, bias may be NULL. */
typedef struct {
  float sums[SUMS * SUMS];
  long rows, columns;
  float alpha;
  const float *addend;
  long ld_addend;
  const float *bias;
  float *c;
  long ldc;
} __attribute__((aligned(64))) Result;

INLINE void write_vector(const Result *r, long i, long j, long lanes) {
  vec addend = r->addend ? load_some(r->addend + i * r->ld_addend + j, lanes) : (vec){0};
  vec bias = r->bias ? load_some(r->bias + j, lanes) : (vec){0};
  store_some(r->c + i * r->ldc + j, fma_vec(splat(r->alpha), load(r->sums + i * SUMS + j), addend) + bias, lanes);
}

static inline void write_rows(const Result *r, long first, long end) {
  for (long i = first; i < end && i < r->rows; i++) {
    if (r->columns == SUMS) {
      write_vector(r, i, 0, LANES);
      write_vector(r, i, LANES, LANES);
    } else {
      for (long j = 0; j < r->columns; j += LANES) write_vector(r, i, j, r->columns - j);
    }
  }
}

/* Asks for rows first .. end - 1 of where results will go, and of what is added to them. */
static inline void prefetch_rows(const Result *r, long first, long end) {
  for (long i = first; i < end && i < r->rows; i++) {
    const float *c = r->c + i * r->ldc, *addend = r->addend + i * r->ld_addend;
    for (long j = 0; j < SUMS; j += LANES) __builtin_prefetch(c + min_long(j, r->columns - 1), 1);
    for (long j = 0; j < SUMS && r->addend && r->addend != r->c; j += LANES)
      __builtin_prefetch(addend + min_long(j, r->columns - 1));
  }
}

/*
 * sums[SUMS][SUMS]. From one product of parts to the next one factor changes, and its tiles are loaded as soon as
 * they have been used for the last time; the largest product, a1 b1, comes last. Meanwhile the vector units write the
 * previous result, some rows in each step, and the next tiles of B are prefetched into L2: ahead_step bytes from
 * ahead on.
 */
INLINE void multiply_tiles(const int below, const int right, long steps, const uint16_t *a, const uint16_t *b,
                           const char *ahead, long ahead_step, const Result *previous, Result *result) {
  float *sums = result->sums;
  const long next_tile = steps * PARTS, rows_each = steps ? (SUMS + steps - 1) / steps : SUMS;
  __asm__ volatile("" ::: "memory"); /* the loads below do not tell the compiler what they read */
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (long s = 0; s < steps; s++) {
    LOAD_UPPER(2); LOAD_LEFT(0); LOAD_RIGHT(0); LOAD_LOWER(2);
    /* a3 b1 */ UPPER_LEFT; UPPER_RIGHT; LOAD_UPPER(1); LOWER_LEFT; LOWER_RIGHT; LOAD_LOWER(1);
    /* a2 b1 */ UPPER_LEFT; UPPER_RIGHT; LOWER_RIGHT; LOAD_RIGHT(1); LOWER_LEFT; LOAD_LEFT(1);
    /* a2 b2 */ UPPER_RIGHT; LOWER_RIGHT; LOWER_LEFT; LOAD_LOWER(0); UPPER_LEFT; LOAD_UPPER(0);
    /* a1 b2 */ LOWER_RIGHT; LOWER_LEFT; UPPER_LEFT; LOAD_LEFT(2); UPPER_RIGHT; LOAD_RIGHT(2);
    /* a1 b3 */ LOWER_LEFT; UPPER_LEFT; LOAD_LEFT(0); LOWER_RIGHT; UPPER_RIGHT; LOAD_RIGHT(0);
    /* a1 b1 */ UPPER_LEFT; LOWER_LEFT; UPPER_RIGHT; LOWER_RIGHT;
    a += PARTS;
    b += PARTS;
    for (long i = 0; i < ahead_step; i += 64) __builtin_prefetch(ahead + i, 0, 2);
    ahead += ahead_step;
    prefetch_rows(result, s * rows_each, (s + 1) * rows_each);
    write_rows(previous, s * rows_each, (s + 1) * rows_each);
  }
  if (steps == 0) write_rows(previous, 0, SUMS);
  _tile_stored(0, sums, SUMS * 4);
  if (right) _tile_stored(1, sums + TILE, SUMS * 4);
  if (below) _tile_stored(2, sums + TILE * SUMS, SUMS * 4);
  if (below && right) _tile_stored(3, sums + TILE * SUMS + TILE, SUMS * 4);
}

/* Rows first .. end - 1 of A, and kc of its columns from p0 on. */
static void pack_rows(const Gemm *g, long first, long end, long p0, long kc, uint16_t *packed) {
  const float *from = g->transpose_a ? g->a + p0 * g->lda + first : g->a + first * g->lda + p0;
  pack_tiles(end - first, kc, from, g->lda, !g->transpose_a, 1, packed);
}

/* Where the sums of a block of k that starts at p0 go, from row i and column j on. */
static void set_target(const Gemm *g, long i, long rows, long j, long columns, long p0, Result *r) {
  r->rows = rows;
  r->columns = columns;
  r->alpha = g->alpha;
  r->c = g->c + i * g->ldc + j;
  r->ldc = g->ldc;
  r->addend = p0 > 0 ? r->c : g->addend ? g->addend + i * g->ld_addend + j : 0;
  r->ld_addend = p0 > 0 ? g->ldc : g->ld_addend;
  r->bias = p0 > 0 || !g->bias ? 0 : g->bias + j;
}

/* Columns j0 .. j0 + n - 1 of the block p0 .. p0 + kc - 1 of k, whose B is packed. */
static void multiply_block(const Gemm *g, long j0, long n, long p0, long kc, const uint16_t *b, uint16_t *packed_a) {
  Result results[2], *result = &results[0], *previous = &results[1];
  previous->rows = 0;
  const long steps = steps_of(kc), tile_length = steps * PARTS;
  for (long first = 0; first < g->m; first += GROUP * TILE) {
    const long end = min_long(first + GROUP * TILE, g->m), pairs = (end - first + SUMS - 1) / SUMS;
    pack_rows(g, first, end, p0, kc, packed_a);
    for (long j = 0; j < n; j += SUMS) {
      const uint16_t *tiles_b = b + j / TILE * tile_length;
      const char *ahead = (const char *)(j + SUMS < n ? tiles_b + 2 * tile_length : b);
      /* Each pair of A's tiles prefetches its share of the next pair of B's. */
      const long columns = min_long(SUMS, n - j), share = round_up((2 * PARTS * 2 + pairs - 1) / pairs, 64);
      for (long i = first; i < end; i += SUMS, ahead += share * steps) {
        const long rows = min_long(SUMS, end - i);
        const uint16_t *tiles_a = packed_a + (i - first) / TILE * tile_length;
        set_target(g, i, rows, j0 + j, columns, p0, result);
        if (rows > TILE && columns > TILE) multiply_tiles(1, 1, steps, tiles_a, tiles_b, ahead, share, previous, result);
        else if (rows > TILE) multiply_tiles(1, 0, steps, tiles_a, tiles_b, ahead, share, previous, result);
        else if (columns > TILE) multiply_tiles(0, 1, steps, tiles_a, tiles_b, ahead, share, previous, result);
        else multiply_tiles(0, 0, steps, tiles_a, tiles_b, ahead, share, previous, result);
        Result *written = previous;
        previous = result;
        result = written;
      }
    }
  }
  write_rows(previous, 0, SUMS);
}

void NAME(gemm)(const Gemm *g, float *scratch) {
  uint16_t *packed_a = (uint16_t *)scratch, *packed_b = (uint16_t *)(scratch + PACKED_A_FLOATS);
  long most_kc = block_length(g->k), most_nc = g->packed_b ? g->n : MOST_NC;
  if (g->m <= 0 || g->n <= 0) return;
  _tile_loadconfig(&tile_configuration);
  for (long j = 0; j < g->n; j += most_nc) {
    long n = min_long(most_nc, g->n - j);
    /* At least once: with k = 0 the result is addend + bias. */
    long p = 0;
    do {
      long kc = min_long(most_kc, g->k - p);
      const uint16_t *b = packed_b;
      if (g->packed_b) b = (const uint16_t *)(g->b + FLOATS(round_up(g->n, TILE), p));
      else pack_block(p, kc, j, n, g->b, g->ldb, g->transpose_b, packed_b);
      multiply_block(g, j, n, p, kc, b, packed_a);
      p += kc;
    } while (p < g->k);
  }
  _tile_release();
}
