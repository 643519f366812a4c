/* Finds out which kernel sets this processor has. */
#include "kernel-sets.h"

const Kernels *kernel_sets[3];
int kernel_set_count;

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
extern const Kernels kernels_avx2, kernels_avx512, kernels_amx;

/* Whether the processor has bfloat16 tiles and the kernel lets this process use them. */
static int request_tiles(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const unsigned tile = 1u << 24, bf16 = 1u << 22;
  if ((d & tile) == 0 || (d & bf16) == 0) return 0;
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* Once, when the addon is loaded into the process: threads then find the sets made. */
__attribute__((constructor)) static void find_sets(void) {
  __builtin_cpu_init();
  int has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && request_tiles()) kernel_sets[kernel_set_count++] = &kernels_amx;
  if (has_avx512) kernel_sets[kernel_set_count++] = &kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    kernel_sets[kernel_set_count++] = &kernels_avx2;
}
#endif
