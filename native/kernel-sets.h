/* The kernel sets of this addon that this processor has. */
#ifndef MUCODE_KERNEL_SETS_H
#define MUCODE_KERNEL_SETS_H
#include "kernels.h"

/* Fastest first; made when the addon is loaded. */
extern const Kernels *kernel_sets[];
extern int kernel_set_count;

#endif
