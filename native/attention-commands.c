/* The commands of attention, with and without a cache. */
#include "commands.h"

#include <stddef.h>

/* Query heads in equal groups, and rows of heads whose columns have 32-bit numbers. */
static void require_heads(Run *run, long heads, long kv_heads, long size) {
  if (run->problem == NULL && (heads % kv_heads != 0 || heads * size > INT32_MAX)) report(run, "no such heads");
}

static Attention read_attention(Run *run) {
  Attention a = {.sequences = extent(run)};
  a.starts = integers(run, a.sequences + 1);
  a.heads = positive_extent(run);
  a.kv_heads = positive_extent(run);
  a.size = head_size(run);
  a.scale = number(run);
  require(run, a.starts);
  require_heads(run, a.heads, a.kv_heads, a.size);
  require_order(run, a.starts, a.sequences, "sequences are not in order");
  if (run->problem != NULL) return a;
  long rows = a.starts[a.sequences];
  a.q = rows_of(run, rows, a.heads * a.size, &a.ldq);
  a.k = rows_of(run, rows, a.kv_heads * a.size, &a.ldk);
  a.v = rows_of(run, rows, a.kv_heads * a.size, &a.ldv);
  a.out = rows_of(run, rows, a.heads * a.size, &a.ldo);
  a.lse = floats(run, rows * a.heads);
  require(run, a.q);
  require(run, a.k);
  require(run, a.v);
  require(run, a.out);
  return a;
}

void run_attention(Run *run) {
  Attention a = read_attention(run);
  if (run->problem == NULL) run->kernels->attention(&a, run->scratch);
}

void run_attention_backward(Run *run) {
  AttentionBackward b = {.forward = read_attention(run)};
  if (run->problem != NULL) return;
  const Attention *a = &b.forward;
  long rows = a->starts[a->sequences];
  b.dout = rows_of(run, rows, a->heads * a->size, &b.lddo);
  b.dq = rows_of(run, rows, a->heads * a->size, &b.lddq);
  b.dk = rows_of(run, rows, a->kv_heads * a->size, &b.lddk);
  b.dv = rows_of(run, rows, a->kv_heads * a->size, &b.lddv);
  require(run, a->lse);
  require(run, b.dout);
  require(run, b.dq);
  require(run, b.dk);
  require(run, b.dv);
  if (run->problem == NULL) run->kernels->attention_backward(&b, run->scratch);
}

/* The pages and how many there are. */
static PagedCache read_cache(Run *run, long *pages) {
  *pages = extent(run);
  PagedCache c = {.layers = extent(run)};
  c.layer = extent(run);
  c.kv_heads = positive_extent(run);
  c.size = head_size(run);
  if (c.layer >= c.layers) report(run, "no such layer");
  long length;
  if (__builtin_mul_overflow(*pages * c.layers, c.kv_heads * c.size * 2 * PAGE, &length))
    report(run, "an array is too short");
  c.pages = floats(run, length);
  require(run, c.pages);
  return c;
}

void run_cache_write(Run *run) {
  long pages, rows, ldk, ldv;
  PagedCache cache = read_cache(run, &pages);
  rows = extent(run);
  const int32_t *places = integers(run, rows);
  const float *k = rows_of(run, rows, cache.kv_heads * cache.size, &ldk);
  const float *v = rows_of(run, rows, cache.kv_heads * cache.size, &ldv);
  require(run, places);
  require(run, k);
  require(run, v);
  require_indices(run, places, rows, pages * PAGE);
  if (run->problem == NULL) run->kernels->cache_write(&cache, rows, places, k, ldk, v, ldv);
}

/* Each list of pages, `most` long, must hold as many pages of the cache as its length, of at least `least`, needs. */
static void require_pages(Run *run, const int32_t *lists, long most, const int32_t *lengths, long least, long count,
                          long pages) {
  for (long i = 0; i < count && run->problem == NULL; i++) {
    long used = (lengths[i] + (PAGE - 1L)) / PAGE;
    if (lengths[i] < least) report(run, "a sequence has no such length");
    else if (used > most) report(run, "a sequence has more positions than pages");
    else require_indices(run, lists + i * most, used, pages);
  }
}

void run_decode_attention(Run *run) {
  long pages;
  DecodeAttention d = {.cache = read_cache(run, &pages)};
  d.groups = extent(run);
  d.group_starts = integers(run, d.groups + 1);
  d.most_prompt_pages = extent(run);
  d.prompt_pages = integers(run, d.groups * d.most_prompt_pages);
  d.prompt_lengths = integers(run, d.groups);
  d.most_own_pages = extent(run);
  require(run, d.group_starts);
  require(run, d.prompt_pages);
  require(run, d.prompt_lengths);
  require_order(run, d.group_starts, d.groups, "groups are not in order");
  if (run->problem != NULL) return;
  long rows = d.group_starts[d.groups];
  d.own_pages = integers(run, rows * d.most_own_pages);
  d.own_lengths = integers(run, rows);
  d.heads = positive_extent(run);
  d.scale = number(run);
  d.q = rows_of(run, rows, d.heads * d.cache.size, &d.ldq);
  d.out = rows_of(run, rows, d.heads * d.cache.size, &d.ldo);
  require(run, d.own_pages);
  require(run, d.own_lengths);
  require(run, d.q);
  require(run, d.out);
  require_heads(run, d.heads, d.cache.kv_heads, d.cache.size);
  if (run->problem != NULL) return;
  require_pages(run, d.prompt_pages, d.most_prompt_pages, d.prompt_lengths, 0, d.groups, pages);
  require_pages(run, d.own_pages, d.most_own_pages, d.own_lengths, 1, rows, pages);
  if (run->problem == NULL) run->kernels->decode_attention(&d, run->scratch);
}
