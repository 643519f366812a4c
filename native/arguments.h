/*
 * The arguments of commands, which are read in order and checked as they are. After a first problem, what is read is
 * without meaning: a command reads on, and runs its kernel only if there was none.
 */
#ifndef MUCODE_ARGUMENTS_H
#define MUCODE_ARGUMENTS_H
#include "kernels.h"

typedef enum { OTHER_ELEMENTS, FLOAT32, INT32, FLOAT64 } ElementType;

/* What one typed array given with a program is. Detached ones, like all others without elements, have length 0. */
typedef struct {
  char *data;
  long length;
  ElementType type;
} Buffer;

/* A program being run. */
typedef struct {
  const Kernels *kernels;
  float *scratch;
  const Buffer *buffers;
  long buffer_count;
  const double *next, *end;
  const char *problem; /* of the command being read; NULL if none */
  double flops;        /* of the products run so far */
} Run;

/* The first problem is the one that is told: what is read after it may make no sense. */
void report(Run *run, const char *problem);

long integer(Run *run);
float number(Run *run);

/* Small enough that products of two do not overflow. */
#define MOST_EXTENT (1L << 30)
/* Not negative, and at most MOST_EXTENT. */
long extent(Run *run);
/* An extent that is not 0, either: of heads, or where work would not be bounded by the memory that it is given. */
long positive_extent(Run *run);
/* The length of a head of attention. */
long head_size(Run *run);

/* Memory of a length in elements; NULL where a program gives none. */
float *floats(Run *run, long length);
const int32_t *integers(Run *run, long length);
double *doubles(Run *run, long length);
/* A matrix's rows: the distance between them, which becomes *ld, comes before the memory. */
float *rows_of(Run *run, long rows, long columns, long *ld);

/* Memory that a kernel cannot do without. */
void require(Run *run, const void *pointer);
/* Indices from 0 to limit - 1. */
void require_indices(Run *run, const int32_t *indices, long count, long limit);
/* Where runs of rows begin, and where the last one ends: starts [count + 1]; else there is the problem given. */
void require_order(Run *run, const int32_t *starts, long count, const char *problem);

#endif
