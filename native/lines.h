/* Lines of a matrix brought side by side, for the products of matrices. */
#ifndef MUCODE_LINES_H
#define MUCODE_LINES_H
#include "vector.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

static inline long min_long(long a, long b) { return a < b ? a : b; }
static inline long round_up(long x, long unit) { return (x + unit - 1) / unit * unit; }

#if LANES == 16
INLINE vec fma_vec(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
/* Four floats of every row in rows, side by side. */
INLINE vec load_quads(const float *const *rows, long offset) {
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + offset));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[4] + offset), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[8] + offset), 2);
  return _mm512_insertf32x4(v, _mm_loadu_ps(rows[12] + offset), 3);
}
#define LOW_OF_QUADS(a, b) _mm512_unpacklo_ps(a, b)
#define HIGH_OF_QUADS(a, b) _mm512_unpackhi_ps(a, b)
#define LOW_PAIRS(a, b) _mm512_shuffle_ps(a, b, 0x44)
#define HIGH_PAIRS(a, b) _mm512_shuffle_ps(a, b, 0xee)
#else
INLINE vec fma_vec(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec load_quads(const float *const *rows, long offset) {
  __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(rows[0] + offset));
  return _mm256_insertf128_ps(v, _mm_loadu_ps(rows[4] + offset), 1);
}
#define LOW_OF_QUADS(a, b) _mm256_unpacklo_ps(a, b)
#define HIGH_OF_QUADS(a, b) _mm256_unpackhi_ps(a, b)
#define LOW_PAIRS(a, b) _mm256_shuffle_ps(a, b, 0x44)
#define HIGH_PAIRS(a, b) _mm256_shuffle_ps(a, b, 0xee)
#endif

/*
 * Packing. All four kinds (A and B, as they lie or transposed) bring 1 .. LANES lines, each of length k, side by
 * side: packed[p * stride + i] = line i's element p. LANES floats are stored for every p, in the order of p, so with
 * stride < LANES each store overwrites what the last one left beyond the stride. Lanes past count hold any of the
 * lines, or 0.
 */

/* Element p of line i is x[i + p * ld]. */
static inline void pack_strided(long count, long k, const float *x, long ld, float *packed, long stride) {
  if (count == LANES) {
    for (long p = 0; p < k; p++) store(packed + p * stride, load(x + p * ld));
  } else {
    for (long p = 0; p < k; p++) store(packed + p * stride, load_some(x + p * ld, count));
  }
}

/* Element p of line i is x[i * ld + p]: vectors of 4 elements of every fourth line, then 4 x 4 transposes in each. */
static inline void pack_lines(long count, long k, const float *x, long ld, float *packed, long stride) {
  const float *lines[LANES];
  for (long i = 0; i < LANES; i++) lines[i] = x + min_long(i, count - 1) * ld;
  long p = 0;
  for (; p + LANES <= k; p += LANES) {
    vec quads[LANES / 4][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
      for (int q = 0; q < LANES / 4; q++) quads[q][i] = load_quads(lines + i, p + 4 * q);
#pragma GCC unroll 4
    for (int q = 0; q < LANES / 4; q++) {
      vec low01 = LOW_OF_QUADS(quads[q][0], quads[q][1]), low23 = LOW_OF_QUADS(quads[q][2], quads[q][3]);
      vec high01 = HIGH_OF_QUADS(quads[q][0], quads[q][1]), high23 = HIGH_OF_QUADS(quads[q][2], quads[q][3]);
      float *to = packed + (p + 4 * q) * stride;
      store(to, LOW_PAIRS(low01, low23));
      store(to + stride, HIGH_PAIRS(low01, low23));
      store(to + 2 * stride, LOW_PAIRS(high01, high23));
      store(to + 3 * stride, HIGH_PAIRS(high01, high23));
    }
  }
  for (; p < k; p++) {
    float column[LANES];
    for (int i = 0; i < LANES; i++) column[i] = lines[i][p];
    store(packed + p * stride, load(column));
  }
}

#endif
