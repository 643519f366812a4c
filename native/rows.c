/* Whole rows: gathered, scattered and summed. */
#include "kernels.h"
#include "vector.h"

/* y += x */
static inline void add_row(long n, const float *x, float *y) {
  EACH_VECTOR(n, store_some(y + i, load_some(y + i, lanes) + load_some(x + i, lanes), lanes););
}

void NAME(gather_rows)(long rows, long n, const int32_t *indices, const float *x, long ldx, float *y, long ldy) {
  for (long row = 0; row < rows; row++) memcpy(y + row * ldy, x + indices[row] * ldx, sizeof(float) * (size_t)n);
}

void NAME(scatter_add_rows)(long rows, long n, const int32_t *indices, const float *x, long ldx, float *y, long ldy) {
  for (long row = 0; row < rows; row++) add_row(n, x + row * ldx, y + indices[row] * ldy);
}

void NAME(add_column_sums)(long rows, long n, const float *x, long ldx, float *y) {
  for (long row = 0; row < rows; row++) add_row(n, x + row * ldx, y);
}
