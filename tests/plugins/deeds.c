/* A plugin in C, with what C authors need: fixed tables, an instance for each worker, options, rows
 * that become many, and mistakes of every kind, by what a record says at `deed`. For tests. */
#include <tranche/plugin.h>

#include <stdio.h>
#include <unistd.h>

struct Worker {
  int64_t factor;
};

static int bind_times(struct TrancheBinding* binding, char* error) {
  int64_t* factor = (int64_t*)malloc(sizeof *factor);
  size_t i;
  if (factor == NULL) return TRANCHE_NO_MEMORY;
  *factor = 1;
  for (i = 0; i < binding->option_count; ++i) {
    if (strcmp(binding->options[i].name, "factor") != 0) {
      snprintf(error, TRANCHE_ERROR_BYTES, "there is no option \"%s\"", binding->options[i].name);
      free(factor);
      return TRANCHE_FAILED;
    }
    *factor = strtoll(binding->options[i].value, NULL, 10);
  }
  binding->bound = factor;
  return TRANCHE_OK;
}

static int create_times(void* bound, void** instance, char* error) {
  struct Worker* worker = (struct Worker*)calloc(1, sizeof *worker);
  (void)error;
  if (worker == NULL) return TRANCHE_NO_MEMORY;
  worker->factor = *(int64_t*)bound;
  *instance = worker;
  return TRANCHE_OK;
}

/* Each record as often as it says, with the product of it. */
static int process_times(void* instance, struct TranchePage* page, char* error) {
  static const size_t value_bytes[] = {sizeof(int64_t)};
  struct Worker* worker = (struct Worker*)instance;
  const int64_t rows = page->records->length;
  const struct ArrowArray* n = page->records->children[0];
  const int64_t* values = (const int64_t*)n->buffers[1];
  int64_t row, room = 0;
  int64_t* products;
  for (row = 0; row < rows; ++row) room += values[row] > 0 ? values[row] : 0;
  if (tranche_make_output(page, room, value_bytes, 1) != TRANCHE_OK) return TRANCHE_NO_MEMORY;
  products = (int64_t*)tranche_values(page, 0);
  for (row = 0; row < rows; ++row) {
    int64_t i;
    page->at(page, row);
    if (tranche_is_null(n, row)) {
      page->reject(page, row, "n is null.");
      continue;
    }
    if (values[row] == 999) {
      snprintf(error, TRANCHE_ERROR_BYTES, "999 is the end");
      return TRANCHE_FAILED;
    }
    for (i = 0; i < values[row]; ++i)
      products[tranche_add_row(page, row)] = values[row] * worker->factor;
  }
  return TRANCHE_OK;
}

/* What goes wrong, by what the record says: with `at` called, and without. */
static int do_deeds(struct TranchePage* page, int says_which) {
  static const size_t value_bytes[] = {sizeof(int64_t)};
  const int64_t rows = page->records->length;
  volatile int* const nowhere = NULL;
  int64_t row;
  int64_t* out;
  if (tranche_make_output(page, rows, value_bytes, 1) != TRANCHE_OK) return TRANCHE_NO_MEMORY;
  out = (int64_t*)tranche_values(page, 0);
  for (row = 0; row < rows; ++row) {
    size_t bytes = 0;
    const char* deed = tranche_text(page->records->children[1], row, &bytes);
    if (says_which) page->at(page, row);
    out[tranche_add_row(page, row)] =
        ((const int64_t*)page->records->children[0]->buffers[1])[row];
    if (bytes == 5 && memcmp(deed, "crash", 5) == 0) *nowhere = 1;
    if (bytes == 5 && memcmp(deed, "abort", 5) == 0) abort();
    if (bytes == 4 && memcmp(deed, "hang", 4) == 0)
      for (;;) sleep(1);
    if (bytes == 6 && memcmp(deed, "reject", 6) == 0) page->reject(page, row, "It says so.");
  }
  return TRANCHE_OK;
}

static int process_deeds(void* instance, struct TranchePage* page, char* error) {
  (void)instance;
  (void)error;
  return do_deeds(page, 1);
}
static int process_quiet_deeds(void* instance, struct TranchePage* page, char* error) {
  (void)instance;
  (void)error;
  return do_deeds(page, 0);
}

/* Answers for more records than there are. */
static int process_too_many(void* instance, struct TranchePage* page, char* error) {
  static const size_t value_bytes[] = {sizeof(int64_t)};
  (void)instance;
  (void)error;
  if (tranche_make_output(page, 1, value_bytes, 1) != TRANCHE_OK) return TRANCHE_NO_MEMORY;
  ((int64_t*)tranche_values(page, 0))[tranche_add_row(page, 0)] = 0;
  page->output_rows = NULL;
  return TRANCHE_OK;
}

static const struct TrancheColumn times_input[] = {{"n", "bigint", 0}};
static const struct TrancheColumn times_output[] = {{"product", "bigint", 1}};
static const struct TrancheColumn deeds_input[] = {{"id", "bigint", 0}, {"deed", "varchar", 0}};
static const struct TrancheColumn deeds_output[] = {{"id", "bigint", 1}};

static const struct TrancheFunction functions[] = {
    {"times", times_input, 1, times_output, 1, NULL, bind_times, free, create_times, free,
     process_times},
    {"deeds", deeds_input, 2, deeds_output, 1, NULL, NULL, NULL, NULL, NULL, process_deeds},
    {"quiet_deeds", deeds_input, 2, deeds_output, 1, NULL, NULL, NULL, NULL, NULL,
     process_quiet_deeds},
    {"too_many", times_input, 1, times_output, 1, NULL, NULL, NULL, NULL, NULL, process_too_many},
};

TRANCHE_PLUGIN_EXPORT const struct TranchePlugin* tranche_plugin(void) {
  static const struct TranchePlugin plugin = {TRANCHE_PLUGIN_ABI, 4, functions};
  return &plugin;
}
