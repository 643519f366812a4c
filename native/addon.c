/*
 * The Node-API addon: runs programs of kernel commands over typed arrays (commands.h says what a program is), with the
 * kernel set that is asked for.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "kernel-sets.h"

enum { SCRATCH_BYTES = SCRATCH_FLOATS * sizeof(float) };

static void release_scratch(napi_env env, void *scratch, void *hint) {
  (void)env;
  (void)hint;
  munmap(scratch, SCRATCH_BYTES);
}

/* Each thread's own working memory, made when first needed. Straight from the system, which has it back with the thread. */
static float *scratch_of(napi_env env) {
  void *scratch = NULL;
  napi_get_instance_data(env, &scratch);
  if (scratch == NULL) {
    scratch = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (scratch == MAP_FAILED) return NULL;
    napi_set_instance_data(env, scratch, release_scratch, NULL);
  }
  return scratch;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static void throw_problem(napi_env env, const char *command, const char *problem) {
  char message[160];
  size_t length = 0;
  const char *parts[] = {command, ": ", problem};
  for (int i = 0; i < 3; i++) {
    size_t part = strlen(parts[i]);
    memcpy(message + length, parts[i], part + 1);
    length += part;
  }
  napi_throw_error(env, NULL, message);
}

static ElementType element_type(napi_typedarray_type type) {
  if (type == napi_float32_array) return FLOAT32;
  if (type == napi_int32_array) return INT32;
  return type == napi_float64_array ? FLOAT64 : OTHER_ELEMENTS;
}

/* The typed arrays of a list; NULL if it has anything else. To take elements may run a program's own code, which may
   detach arrays: where their memory is, is asked last. */
static Buffer *read_buffers(napi_env env, napi_value list, uint32_t count) {
  Buffer *buffers = malloc((count + 1L) * sizeof(Buffer));
  napi_value *arrays = malloc((count + 1L) * sizeof(napi_value));
  napi_status status = buffers == NULL || arrays == NULL ? napi_generic_failure : napi_ok;
  for (uint32_t i = 0; i < count && status == napi_ok; i++) status = napi_get_element(env, list, i, &arrays[i]);
  for (uint32_t i = 0; i < count && status == napi_ok; i++) {
    napi_typedarray_type type;
    size_t length;
    void *data;
    status = napi_get_typedarray_info(env, arrays[i], &type, &length, &data, NULL, NULL);
    if (status == napi_ok) buffers[i] = (Buffer){.data = data, .length = (long)length, .type = element_type(type)};
  }
  free(arrays);
  if (status == napi_ok) return buffers;
  free(buffers);
  return NULL;
}

#define EXPECTED "expected a kernel set, a Float64Array and a list of typed arrays"

/* run(set, program, arrays[, profile]) */
static napi_value run_program(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4];
  int32_t set;
  napi_typedarray_type type;
  size_t program_length, profile_length;
  void *program, *profile = NULL;
  uint32_t buffer_count;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 3 ||
      napi_get_value_int32(env, arguments[0], &set) != napi_ok || set < 0 || set >= kernel_set_count ||
      napi_get_array_length(env, arguments[2], &buffer_count) != napi_ok)
    return fail(env, EXPECTED);
  float *scratch = scratch_of(env);
  Buffer *buffers = scratch == NULL ? NULL : read_buffers(env, arguments[2], buffer_count);
  if (buffers == NULL) return fail(env, scratch == NULL ? "no memory" : EXPECTED);
  if (napi_get_typedarray_info(env, arguments[1], &type, &program_length, &program, NULL, NULL) != napi_ok ||
      type != napi_float64_array) {
    free(buffers);
    return fail(env, EXPECTED);
  }
  if (count > 3 &&
      napi_get_typedarray_info(env, arguments[3], &type, &profile_length, &profile, NULL, NULL) == napi_ok &&
      (type != napi_float64_array || profile_length < 2 * (size_t)command_count)) {
    free(buffers);
    return fail(env, "expected a Float64Array for what commands took");
  }
  Run run = {.kernels = kernel_sets[set],
             .scratch = scratch,
             .buffers = buffers,
             .buffer_count = (long)buffer_count,
             .next = program,
             .end = (const double *)program + program_length};
  const char *failed = run_commands(&run, profile);
  if (failed != NULL) throw_problem(env, failed, run.problem);
  free(buffers);
  return NULL;
}

/* packedLength(set, n, k) */
static napi_value packed_length(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3], result;
  int32_t set;
  int64_t n, k;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count != 3 ||
      napi_get_value_int32(env, arguments[0], &set) != napi_ok || set < 0 || set >= kernel_set_count ||
      napi_get_value_int64(env, arguments[1], &n) != napi_ok ||
      napi_get_value_int64(env, arguments[2], &k) != napi_ok || n < 0 || n > MOST_EXTENT || k < 0 || k > MOST_EXTENT)
    return fail(env, "expected a kernel set and two extents");
  napi_create_int64(env, kernel_sets[set]->packed_length(n, k), &result);
  return result;
}

/* The one argument, a Float32Array; false once its absence is an exception. */
static bool read_floats(napi_env env, napi_callback_info info, void **data, size_t *length) {
  size_t count = 1;
  napi_value array;
  napi_typedarray_type type;
  if (napi_get_cb_info(env, info, &count, &array, NULL, NULL) == napi_ok && count == 1 &&
      napi_get_typedarray_info(env, array, &type, length, data, NULL, NULL) == napi_ok && type == napi_float32_array)
    return true;
  fail(env, "expected a Float32Array");
  return false;
}

/* bytesToLine(array): from its start to the first that begins a cache line. */
static napi_value bytes_to_line(napi_env env, napi_callback_info info) {
  size_t length;
  void *data;
  napi_value result = NULL;
  if (read_floats(env, info, &data, &length)) napi_create_uint32(env, (uint32_t)(-(uintptr_t)data % 64), &result);
  return result;
}

/* discard(array): gives the system the array's memory back, whose values are 0 or undefined from then on. */
static napi_value discard(napi_env env, napi_callback_info info) {
  size_t length;
  void *data;
  if (!read_floats(env, info, &data, &length)) return NULL;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t start = ((uintptr_t)data + page - 1) / page * page;
  uintptr_t end = ((uintptr_t)data + length * sizeof(float)) / page * page;
  if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
  return NULL;
}

/* adviseHugePages(array): to be asked before its memory is used for the first time. Nothing is lost where it is
   refused. */
static napi_value advise_huge_pages(napi_env env, napi_callback_info info) {
  size_t length;
  void *data;
  if (!read_floats(env, info, &data, &length)) return NULL;
  const uintptr_t huge = 1L << 21;
  uintptr_t start = ((uintptr_t)data + huge - 1) / huge * huge;
  uintptr_t end = ((uintptr_t)data + length * sizeof(float)) / huge * huge;
  if (end > start) madvise((void *)start, end - start, MADV_HUGEPAGE);
  return NULL;
}

static napi_value list_names(napi_env env, int count, const char *(*name)(int)) {
  napi_value list, item;
  napi_create_array_with_length(env, (size_t)count, &list);
  for (int i = 0; i < count; i++) {
    napi_create_string_utf8(env, name(i), NAPI_AUTO_LENGTH, &item);
    napi_set_element(env, list, (uint32_t)i, item);
  }
  return list;
}

static const char *set_name(int i) { return kernel_sets[i]->name; }
static const char *command_name(int i) { return commands[i].name; }

NAPI_MODULE_INIT(/* env, exports */) {
  napi_value value;
  napi_set_named_property(env, exports, "sets", list_names(env, kernel_set_count, set_name));
  napi_set_named_property(env, exports, "commands", list_names(env, command_count, command_name));
  napi_create_string_utf8(env, SOURCE_DIGEST, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, exports, "sourceDigest", value);
  napi_create_int32(env, PAGE, &value);
  napi_set_named_property(env, exports, "pagePositions", value);
  napi_create_function(env, "run", NAPI_AUTO_LENGTH, run_program, NULL, &value);
  napi_set_named_property(env, exports, "run", value);
  napi_create_function(env, "adviseHugePages", NAPI_AUTO_LENGTH, advise_huge_pages, NULL, &value);
  napi_set_named_property(env, exports, "adviseHugePages", value);
  napi_create_function(env, "discard", NAPI_AUTO_LENGTH, discard, NULL, &value);
  napi_set_named_property(env, exports, "discard", value);
  napi_create_function(env, "bytesToLine", NAPI_AUTO_LENGTH, bytes_to_line, NULL, &value);
  napi_set_named_property(env, exports, "bytesToLine", value);
  napi_create_function(env, "packedLength", NAPI_AUTO_LENGTH, packed_length, NULL, &value);
  napi_set_named_property(env, exports, "packedLength", value);
  return exports;
}
