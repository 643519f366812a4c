/* Rotary position embedding. */
#include "kernels.h"
#include "vector.h"

void NAME(rotate)(long rows, long heads, long size, float *x, long ldx, const int32_t *positions, const float *cosine,
                  const float *sine, float direction) {
  const long half = size / 2;
  for (long row = 0; row < rows; row++) {
    const float *c = cosine + positions[row] * half, *s = sine + positions[row] * half;
    for (long head = 0; head < heads; head++) {
      float *first = x + row * ldx + head * size, *second = first + half;
      EACH_VECTOR(half, {
        const vec a = load_some(first + i, lanes), b = load_some(second + i, lanes);
        const vec cos = load_some(c + i, lanes), sin = load_some(s + i, lanes) * direction;
        store_some(first + i, a * cos - b * sin, lanes);
        store_some(second + i, b * cos + a * sin, lanes);
      });
    }
  }
}
