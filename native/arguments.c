/* Reads and checks commands' arguments. */
#include "arguments.h"

#include <stddef.h>

void report(Run *run, const char *problem) {
  if (run->problem == NULL) run->problem = problem;
}

long integer(Run *run) {
  if (run->next >= run->end) {
    report(run, "arguments are missing");
    return 0;
  }
  double value = *run->next++;
  /* Beyond 2^53, and for what is not a number, a conversion would not be defined, or not be exact. */
  if (!(value >= -0x1p53 && value <= 0x1p53) || (double)(long)value != value) {
    report(run, "a number is not an integer");
    return 0;
  }
  return (long)value;
}

float number(Run *run) {
  if (run->next >= run->end) {
    report(run, "arguments are missing");
    return 0;
  }
  return (float)*run->next++;
}

long extent(Run *run) {
  long value = integer(run);
  if (value < 0 || value > MOST_EXTENT) {
    report(run, "an extent is out of range");
    return 0;
  }
  return value;
}

long positive_extent(Run *run) {
  long value = extent(run);
  if (value == 0) report(run, "an extent is out of range");
  return value;
}

long head_size(Run *run) {
  long value = positive_extent(run);
  if (value > MOST_HEAD_SIZE) report(run, "a head is too long");
  return value;
}

static void *memory(Run *run, ElementType type, long width, long length) {
  long which = integer(run), offset = integer(run);
  if (which == -1) return NULL;
  if (run->problem != NULL) return NULL;
  if (which < 0 || which >= run->buffer_count) {
    report(run, "no such array");
    return NULL;
  }
  const Buffer *buffer = &run->buffers[which];
  if (buffer->type != type) {
    report(run, "an array has another type");
    return NULL;
  }
  if (offset < 0 || length < 0 || offset > buffer->length || length > buffer->length - offset) {
    report(run, "an array is too short");
    return NULL;
  }
  static char nothing; /* where arrays without elements, whose data may be NULL, have theirs */
  return buffer->length == 0 ? &nothing : buffer->data + offset * width;
}

float *floats(Run *run, long length) { return memory(run, FLOAT32, 4, length); }
const int32_t *integers(Run *run, long length) { return memory(run, INT32, 4, length); }
double *doubles(Run *run, long length) { return memory(run, FLOAT64, 8, length); }

float *rows_of(Run *run, long rows, long columns, long *ld) {
  *ld = extent(run);
  float *first = floats(run, rows == 0 || columns == 0 ? 0 : (rows - 1) * *ld + columns);
  if (first != NULL && rows > 1 && *ld < columns) report(run, "rows overlap");
  return first;
}

void require(Run *run, const void *pointer) {
  if (pointer == NULL) report(run, "an array is missing");
}

void require_indices(Run *run, const int32_t *indices, long count, long limit) {
  if (run->problem != NULL || indices == NULL) return;
  for (long i = 0; i < count; i++) {
    if (indices[i] < 0 || indices[i] >= limit) {
      report(run, "an index is out of range");
      return;
    }
  }
}

void require_order(Run *run, const int32_t *starts, long count, const char *problem) {
  if (run->problem != NULL) return;
  if (starts[0] < 0) report(run, problem);
  for (long i = 0; i < count; i++)
    if (starts[i] > starts[i + 1]) report(run, problem);
}
