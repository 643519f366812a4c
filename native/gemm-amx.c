/*
 * Matrix products of float32 on the tile unit (AMX), which multiplies bfloat16.
 *
 * A float32's 24 bits are cut in three bfloat16 of 8 bits each, exactly: x = x1 + x2 + x3. Of the nine products of two such
 * sums, the six of a1 b1, a1 b2, a2 b1, a2 b2, a1 b3, a3 b1 are summed in float32; the three others are below 2^-23 of a b.
 * The unit rounds once where it adds 32 products to a sum, after short chains of 16: less often than a chain of
 * fused multiply-adds. Denormal numbers count as 0, and an infinity gives NaN.
 *
 * The blocks are those of gemm.c: k in blocks of kc, a function of k alone, added to c in their order; a row's bits depend
 * neither on m nor on its place. A and B are packed in tiles of 16 lines (rows of A, columns of B) and steps of 32 along k:
 *   packed[tile][step][part][16][32], part = x1, x2, x3.
 * A tile of A has a line in each row; one of B has in row r the elements p = r and p = r + 16 of every line, side by side,
 * and A's rows are shuffled to match: p = 0, 16, 1, 17 .. 15, 31.
 */
#include "kernels.h"
#include "lines.h"

#define TILE 16
#define STEP 32
/* bfloat16 numbers in a part, and in the three of them. */
#define PART (TILE * STEP)
#define PARTS (3 * PART)
#ifndef MOST_KC
#define MOST_KC 512
#endif
/* Tiles of A packed together. */
#ifndef GROUP
#define GROUP 12
#endif
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

/* The three parts of two blocks, whose elements become neighbours. */
static void split_blocks(const float *even, const float *odd, uint16_t *parts) {
  const ivec high_half = (ivec)splat(0) + (int32_t)0xffff0000;
  for (long r = 0; r < TILE; r++) {
    vec x = load(even + r * TILE), y = load(odd + r * TILE);
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
static void pack_tile(long count, long kc, const float *x, long ld, int contiguous, int lines_are_rows, uint16_t *packed) {
  float blocks[2][TILE * TILE] __attribute__((aligned(64)));
  for (long p = 0; p < kc; p += STEP, packed += PARTS) {
    for (long half = 0; half < 2; half++) {
      long at = p + half * TILE, length = min_long(TILE, kc - at);
      const float *from = length <= 0 ? x : contiguous ? x + at : x + at * ld;
      if (lines_are_rows) load_block(from, ld, count, length, !contiguous, blocks[half]);
      else load_block(from, ld, length, count, contiguous, blocks[half]);
    }
    split_blocks(blocks[0], blocks[1], packed);
  }
}

/* Rows p0 .. p0 + kc - 1 and columns j0 .. j0 + n - 1 of B. */
static void pack_block(long p0, long kc, long j0, long n, const float *b, long ldb, int transpose_b, uint16_t *packed) {
  for (long j = 0; j < n; j += TILE, packed += steps_of(kc) * PARTS) {
    const float *from = transpose_b ? b + (j0 + j) * ldb + p0 : b + p0 * ldb + j0 + j;
    pack_tile(min_long(TILE, n - j), kc, from, ldb, transpose_b, 0, packed);
  }
}

long NAME(packed_length)(long n, long k) { return FLOATS(round_up(n, TILE), round_up(k, STEP)); }

void NAME(pack)(long n, long k, const float *b, long ldb, int transpose_b, float *packed) {
  long most = block_length(k);
  for (long p = 0; p < k; p += most)
    pack_block(p, min_long(most, k - p), 0, n, b, ldb, transpose_b, (uint16_t *)(packed + FLOATS(round_up(n, TILE), p)));
}

/* All eight tile registers have 16 rows of 64 bytes. */
static const struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_configuration = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* The results of two tiles of A and two of B, or of one where there is no second one. */
#define SUMS (2 * TILE)
#define LOAD_A(part)                                \
  do {                                              \
    _tile_loadd(4, a + (part) * PART, 64);          \
    if (below) _tile_loadd(5, a + next_tile + (part) * PART, 64); \
  } while (0)
#define LOAD_B(part)                                \
  do {                                              \
    _tile_loadd(6, b + (part) * PART, 64);          \
    if (right) _tile_loadd(7, b + next_tile + (part) * PART, 64); \
  } while (0)
#define MULTIPLY()                        \
  do {                                    \
    _tile_dpbf16ps(0, 4, 6);              \
    if (right) _tile_dpbf16ps(1, 4, 7);   \
    if (below) _tile_dpbf16ps(2, 5, 6);   \
    if (below && right) _tile_dpbf16ps(3, 5, 7); \
  } while (0)

/* sums[SUMS][SUMS]. In every step one factor is loaded for the next product, and the largest product comes last. */
INLINE void multiply_tiles(const int below, const int right, long steps, const uint16_t *a, const uint16_t *b,
                           const char *ahead, long ahead_step, float *sums) {
  const long next_tile = steps * PARTS;
  __asm__ volatile("" ::: "memory"); /* the loads below do not tell the compiler what they read */
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (long s = 0; s < steps; s++) {
    LOAD_A(2);
    LOAD_B(0);
    MULTIPLY();
    LOAD_A(1);
    MULTIPLY();
    LOAD_B(1);
    MULTIPLY();
    LOAD_A(0);
    MULTIPLY();
    LOAD_B(2);
    MULTIPLY();
    LOAD_B(0);
    MULTIPLY();
    a += PARTS;
    b += PARTS;
    for (long i = 0; i < ahead_step; i += 64) __builtin_prefetch(ahead + i, 0, 2);
    ahead += ahead_step;
  }
  _tile_stored(0, sums, SUMS * 4);
  if (right) _tile_stored(1, sums + TILE, SUMS * 4);
  if (below) _tile_stored(2, sums + TILE * SUMS, SUMS * 4);
  if (below && right) _tile_stored(3, sums + TILE * SUMS + TILE, SUMS * 4);
}

/* c[rows, columns] = alpha * sums + addend + bias; addend and bias may be NULL. */
static void write_sums(long rows, long columns, const float *sums, float alpha, const float *addend, long ld_addend,
                       const float *bias, float *c, long ldc) {
  for (long j = 0; j < columns; j += TILE) {
    long lanes = columns - j;
    vec plus = bias ? load_some(bias + j, lanes) : (vec){0};
    for (long i = 0; i < rows; i++) {
      vec before = addend ? load_some(addend + i * ld_addend + j, lanes) : (vec){0};
      store_some(c + i * ldc + j, fma_vec(splat(alpha), load(sums + i * SUMS + j), before) + plus, lanes);
    }
  }
}

/* Columns j0 .. j0 + n - 1 of the block p0 .. p0 + kc - 1 of k, whose B is packed. */
static void multiply_block(const Gemm *g, long j0, long n, long p0, long kc, const uint16_t *b, uint16_t *packed_a) {
  float sums[SUMS * SUMS] __attribute__((aligned(64)));
  const long steps = steps_of(kc), tile_length = steps * PARTS;
  for (long first = 0; first < g->m; first += GROUP * TILE) {
    long end = min_long(first + GROUP * TILE, g->m), pairs = (end - first + SUMS - 1) / SUMS;
    for (long i = first; i < end; i += TILE) {
      const float *from = g->transpose_a ? g->a + p0 * g->lda + i : g->a + i * g->lda + p0;
      pack_tile(min_long(TILE, end - i), kc, from, g->lda, !g->transpose_a, 1, packed_a + (i - first) / TILE * tile_length);
    }
    for (long j = 0; j < n; j += SUMS) {
      long width = min_long(SUMS, n - j), column = j0 + j;
      const uint16_t *right = b + j / TILE * tile_length;
      const char *next = (const char *)(j + SUMS < n ? right + 2 * tile_length : b);
      long share = round_up((2 * PARTS * 2 + pairs - 1) / pairs, 64);
      for (long i = first; i < end; i += SUMS) {
        long rows = min_long(SUMS, end - i);
        const uint16_t *left = packed_a + (i - first) / TILE * tile_length;
        const char *ahead = next + (i - first) / SUMS * share * steps;
        if (rows > TILE && width > TILE) multiply_tiles(1, 1, steps, left, right, ahead, share, sums);
        else if (rows > TILE) multiply_tiles(1, 0, steps, left, right, ahead, share, sums);
        else if (width > TILE) multiply_tiles(0, 1, steps, left, right, ahead, share, sums);
        else multiply_tiles(0, 0, steps, left, right, ahead, share, sums);
        float *c = g->c + i * g->ldc + column;
        if (p0 > 0) write_sums(rows, width, sums, g->alpha, c, g->ldc, 0, c, g->ldc);
        else
          write_sums(rows, width, sums, g->alpha, g->addend ? g->addend + i * g->ld_addend + column : 0, g->ld_addend,
                     g->bias ? g->bias + column : 0, c, g->ldc);
      }
    }
  }
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
