/*
 * The kernels of the instruction set that this is compiled for, as one set. That of the tile unit has its own matrix
 * products (gemm-amx.c), and is AVX-512's in all else.
 */
#include "kernels.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

#define KERNEL_SET(set)                                 \
  const Kernels JOIN(kernels, set) = {                  \
      .name = STRING(set),                              \
      .gemm = JOIN(gemm, set),                          \
      .packed_length = JOIN(packed_length, set),        \
      .pack = JOIN(pack, set),                          \
      .attention = NAME(attention),                     \
      .attention_backward = NAME(attention_backward),   \
      .decode_attention = NAME(decode_attention),       \
      .cache_write = NAME(cache_write),                 \
      .token_probabilities = NAME(token_probabilities), \
      .gather_rows = NAME(gather_rows),                 \
      .scatter_add_rows = NAME(scatter_add_rows),       \
      .rms_norm = NAME(rms_norm),                       \
      .rms_norm_backward = NAME(rms_norm_backward),     \
      .rotate = NAME(rotate),                           \
      .swiglu = NAME(swiglu),                           \
      .swiglu_backward = NAME(swiglu_backward),         \
      .cross_entropy = NAME(cross_entropy),             \
      .add_column_sums = NAME(add_column_sums),         \
      .adamw = NAME(adamw),                             \
      .add_and_square = NAME(add_and_square),           \
      .square = NAME(square),                           \
  }

KERNEL_SET(ISA);

#if defined(__AVX512F__)
PRODUCTS(amx);
KERNEL_SET(amx);
#endif
