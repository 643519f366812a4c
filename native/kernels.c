/* The kernels of the instruction set that this is compiled for, as one set. */
#include "kernels.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const Kernels NAME(kernels) = {
    .name = STRING(ISA),
    .gemm = NAME(gemm),
    .packed_length = NAME(packed_length),
    .pack = NAME(pack),
    .attention = NAME(attention),
    .attention_backward = NAME(attention_backward),
    .decode_attention = NAME(decode_attention),
    .cache_write = NAME(cache_write),
    .token_probabilities = NAME(token_probabilities),
    .gather_rows = NAME(gather_rows),
    .scatter_add_rows = NAME(scatter_add_rows),
    .rms_norm = NAME(rms_norm),
    .rms_norm_backward = NAME(rms_norm_backward),
    .rotate = NAME(rotate),
    .swiglu = NAME(swiglu),
    .swiglu_backward = NAME(swiglu_backward),
    .cross_entropy = NAME(cross_entropy),
    .add_column_sums = NAME(add_column_sums),
    .adamw = NAME(adamw),
    .add_and_square = NAME(add_and_square),
    .square = NAME(square),
};
