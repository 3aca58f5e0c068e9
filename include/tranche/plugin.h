/* The interface of plugins: business logic in a shared object, in any language that speaks C.
 *
 *   process: [{ plugin: ./score.so, function: score }]
 *
 * A plugin exports one symbol, tranche_plugin, which lists its functions. A function says which
 * columns it takes and gives, in the type names of job files ("bigint", "decimal(12,2)"), and is
 * handed records a page at a time in Arrow's C data interface. This header is all that a plugin in
 * C needs; in C++ tranche/plugin_function.h makes one of a lambda. docs/plugins.md explains it.
 *
 * Threads: bind and unbind are called by one thread; create and process by many workers at once,
 * each with an instance of its own. A release callback of output may be called by any thread.
 * Lifetime: what tranche_plugin gives lives as long as the process; a plugin is never unloaded. The
 * records of a page are lent for the call of process; output belongs to Tranche.
 * Errors: a function returns one of the TRANCHE_ codes, and a sentence in `error`. No exception may
 * leave a function of a plugin. */
#ifndef TRANCHE_PLUGIN_H_
#define TRANCHE_PLUGIN_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Grows when a plugin made for the version before would not work any more. */
#define TRANCHE_PLUGIN_ABI 1u
#define TRANCHE_PLUGIN_EXPORT __attribute__((visibility("default")))
/* Room for the sentence of an error, its end included. */
#define TRANCHE_ERROR_BYTES 1024

#ifdef __cplusplus
extern "C" {
#endif

/* Arrow's C data interface, word for word; https://arrow.apache.org/docs/format/CDataInterface */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};

#endif

enum {
  TRANCHE_OK = 0,
  TRANCHE_FAILED = 1,    /* stops the run, or says that the job is wrong (bind) */
  TRANCHE_TRANSIENT = 2, /* may pass by itself: the batch is tried again */
  TRANCHE_NO_MEMORY = 3
};

struct TrancheColumn {
  const char* name;
  const char* type; /* as in a job file: "bigint", "decimal(12,2)", "varchar[]" */
  int not_null;     /* of output: a null rejects its record */
};

/* An entry of `options:` of the job file. */
struct TrancheOption {
  const char* name;
  const char* value;
};

struct TrancheFunction;

struct TrancheBinding {
  const struct TrancheFunction* function;
  const struct TrancheOption* options;
  size_t option_count;
  const struct TrancheColumn* input; /* the columns that process will be given, in this order */
  size_t input_count;
  /* To be set, where the function's own `output` is not the whole truth. They, and `bound`, live
   * until unbind. */
  const struct TrancheColumn* output;
  size_t output_count;
  void* bound; /* the plugin's own: what create is given */
};

/* Some records, and what comes of them. */
struct TranchePage {
  /* A struct array of `records->length` rows, with a child for each column; offsets are 0, and the
   * layouts those of docs/plugins.md. Lent: neither kept nor released by the plugin. */
  const struct ArrowArray* records;
  const struct ArrowSchema* schema; /* of records, for libraries that want it */

  /* To be filled: a struct array with a child for each column of the output. */
  struct ArrowArray output;
  /* May be filled, by libraries that say by themselves how their output lies. */
  struct ArrowSchema output_schema;
  /* Of which row of `records` each row of output came, never less than the one before; NULL: each
   * of its own, one a record. A record without any, that was not rejected, is filtered. Read once,
   * when process has returned. */
  const int64_t* output_rows;

  /* Says which record is in hand, so that one that kills the process or hangs is found at once. */
  void (*at)(struct TranchePage* page, int64_t row);
  /* Rejects a record, with a sentence that says why. Rows that it has all the same are left out. */
  void (*reject)(struct TranchePage* page, int64_t row, const char* why);
  void* host; /* Tranche's own */
};

struct TrancheFunction {
  const char* name;
  /* The columns it takes, found by name; none: it takes all there are. */
  const struct TrancheColumn* input;
  size_t input_count;
  const struct TrancheColumn* output;
  size_t output_count;
  void* data; /* the plugin's own */

  /* Called once, before the start. NULL: nothing is to be done, and there are no options. */
  int (*bind)(struct TrancheBinding* binding, char* error);
  void (*unbind)(void* bound); /* NULL: nothing is to be done */
  /* What belongs to one worker. NULL: the instance is `bound`, which all workers share. */
  int (*create)(void* bound, void** instance, char* error);
  void (*destroy)(void* instance); /* NULL: nothing is to be done */
  int (*process)(void* instance, struct TranchePage* page, char* error);
};

struct TranchePlugin {
  uint32_t abi; /* TRANCHE_PLUGIN_ABI */
  uint32_t function_count;
  const struct TrancheFunction* functions;
};

/* The one symbol that a plugin exports. */
TRANCHE_PLUGIN_EXPORT const struct TranchePlugin* tranche_plugin(void);

/* ---- For plugins in C: reading values, and making output of columns of fixed width. ---- */

static inline int tranche_is_null(const struct ArrowArray* column, int64_t row) {
  const uint8_t* bits = (const uint8_t*)column->buffers[0];
  return bits != NULL && ((bits[row >> 3] >> (row & 7)) & 1) == 0;
}

/* A text of a varchar column: not ended by a zero, so `bytes` says how long it is. */
static inline const char* tranche_text(const struct ArrowArray* column, int64_t row,
                                       size_t* bytes) {
  const int32_t* offsets = (const int32_t*)column->buffers[1];
  *bytes = (size_t)(offsets[row + 1] - offsets[row]);
  return (const char*)column->buffers[2] + offsets[row];
}

static inline void tranche_free_output(struct ArrowArray* array) {
  int64_t i;
  for (i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release != NULL) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  if (array->n_buffers == 2) free((void*)(uintptr_t)array->buffers[1]);
  free((void*)(uintptr_t)array->buffers);
  free(array->children);
  free(array->private_data);
  array->release = NULL;
}

static inline int tranche_make_array(struct ArrowArray* array, int64_t buffers, int64_t children) {
  memset(array, 0, sizeof *array);
  array->release = tranche_free_output;
  array->buffers = (const void**)calloc((size_t)buffers, sizeof(void*));
  array->children = (struct ArrowArray**)calloc((size_t)children + 1, sizeof(void*));
  array->n_buffers = array->buffers != NULL ? buffers : 0;
  return array->buffers != NULL && array->children != NULL ? TRANCHE_OK : TRANCHE_NO_MEMORY;
}

/* Makes page->output with room for `rows_max` rows, and none in it; value_bytes[i] is the width of
 * column i: 8 for a bigint. */
static inline int tranche_make_output(struct TranchePage* page, int64_t rows_max,
                                      const size_t* value_bytes, int64_t columns) {
  int64_t i;
  if (tranche_make_array(&page->output, 1, columns) != TRANCHE_OK) return TRANCHE_NO_MEMORY;
  page->output.private_data = malloc((size_t)rows_max * sizeof(int64_t) + 1);
  if (page->output.private_data == NULL) return TRANCHE_NO_MEMORY;
  page->output_rows = (const int64_t*)page->output.private_data;
  for (i = 0; i < columns; ++i) {
    struct ArrowArray* column = (struct ArrowArray*)calloc(1, sizeof *column);
    if (column == NULL) return TRANCHE_NO_MEMORY;
    page->output.children[page->output.n_children++] = column;
    if (tranche_make_array(column, 2, 0) != TRANCHE_OK) return TRANCHE_NO_MEMORY;
    column->length = rows_max;
    column->buffers[1] = malloc((size_t)rows_max * value_bytes[i] + 1);
    if (column->buffers[1] == NULL) return TRANCHE_NO_MEMORY;
  }
  return TRANCHE_OK;
}

/* Where the values of a column of output go. */
static inline void* tranche_values(struct TranchePage* page, int64_t column) {
  return (void*)(uintptr_t)page->output.children[column]->buffers[1];
}

/* A row more, which comes of record `row`; its number. */
static inline int64_t tranche_add_row(struct TranchePage* page, int64_t row) {
  ((int64_t*)page->output.private_data)[page->output.length] = row;
  return page->output.length++;
}

#ifdef __cplusplus
}
#endif

#endif /* TRANCHE_PLUGIN_H_ */
