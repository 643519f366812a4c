/* Mathematical functions of one number: the kernels are linked without a mathematical library. */
#ifndef MUCODE_SCALAR_H
#define MUCODE_SCALAR_H
#include <stdint.h>
#include <string.h>

/*
 * The natural logarithm, within 1e-12; minus infinity of 0. x = 2^e m, m in [sqrt(1/2), sqrt(2)), and with
 * f = (m - 1) / (m + 1): log m = 2 (f + f^3 / 3 + f^5 / 5 + ...), |f| < 0.172.
 */
static inline double log_double(double x) {
  if (!(x > 0)) return x == 0 ? -__builtin_inf() : __builtin_nan("");
  if (x > 1.7976931348623157e308) return x;
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint64_t root_half = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
  const int64_t exponent = (int64_t)(bits - root_half) >> 52;
  bits -= (uint64_t)exponent << 52;
  double m;
  memcpy(&m, &bits, sizeof m);
  const double f = (m - 1) / (m + 1), square = f * f;
  double series = 1.0 / 15;
  for (int odd = 13; odd > 0; odd -= 2) series = series * square + 1.0 / odd;
  return (double)exponent * 0.69314718055994530942 + 2 * f * series;
}

#endif
