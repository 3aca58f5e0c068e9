// Inside drivers only: the functions of DuckDB's C API by their names, looked up in its library
// when they are first called. Most commands and many jobs never need DuckDB, and to relocate its
// library takes the dynamic linker half of the time in which a command starts.
//
// Threads: thread-safe. Lifetime: the library stays for as long as the process does.
#pragma once

#include <duckdb.h>

#include <atomic>

#include <tranche/base/result.h>

namespace tranche {

// REQUIRED before any of the functions below: it is done by DuckDatabase::open, whose results they
// work on. Errors: failed, where there is no such library.
Result<void> load_duckdb();

// Ends the process where the library has no such function.
void* find_in_duckdb(const char* name);

template <class Function> class DuckFunction;
template <class Returned, class... Arguments> class DuckFunction<Returned (*)(Arguments...)> {
 public:
  constexpr explicit DuckFunction(const char* name) : name_(name) {}
  Returned operator()(Arguments... arguments) const {
    void* found = found_.load(std::memory_order_acquire);
    if (found == nullptr) [[unlikely]] {
      found = find_in_duckdb(name_);
      found_.store(found, std::memory_order_release);
    }
    return reinterpret_cast<Returned (*)(Arguments...)>(found)(arguments...);
  }

 private:
  const char* name_;
  mutable std::atomic<void*> found_{nullptr};
};

// In this namespace they hide those of the C header, which nobody links.
#define TRANCHE_DUCKDB_FUNCTION(name) \
  inline constinit const DuckFunction<decltype(&::name)> name { #name }

TRANCHE_DUCKDB_FUNCTION(duckdb_array_type_array_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_array_type_child_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_array_vector_get_child);
TRANCHE_DUCKDB_FUNCTION(duckdb_bind_add_result_column);
TRANCHE_DUCKDB_FUNCTION(duckdb_bind_get_extra_info);
TRANCHE_DUCKDB_FUNCTION(duckdb_bind_parameter_index);
TRANCHE_DUCKDB_FUNCTION(duckdb_bind_set_cardinality);
TRANCHE_DUCKDB_FUNCTION(duckdb_bind_value);
TRANCHE_DUCKDB_FUNCTION(duckdb_close);
TRANCHE_DUCKDB_FUNCTION(duckdb_column_count);
TRANCHE_DUCKDB_FUNCTION(duckdb_column_logical_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_column_name);
TRANCHE_DUCKDB_FUNCTION(duckdb_connect);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_blob);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_bool);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_config);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_date);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_decimal);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_decimal_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_double);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_float);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_hugeint);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_int16);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_int32);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_int64);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_int8);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_list_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_logical_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_null_value);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_struct_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_table_function);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_time);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_timestamp);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_timestamp_tz);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_uint16);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_uint32);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_uint64);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_uint8);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_uuid);
TRANCHE_DUCKDB_FUNCTION(duckdb_create_varchar_length);
TRANCHE_DUCKDB_FUNCTION(duckdb_data_chunk_get_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_data_chunk_get_vector);
TRANCHE_DUCKDB_FUNCTION(duckdb_data_chunk_set_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_decimal_scale);
TRANCHE_DUCKDB_FUNCTION(duckdb_decimal_width);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_config);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_data_chunk);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_extracted);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_logical_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_pending);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_prepare);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_result);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_table_function);
TRANCHE_DUCKDB_FUNCTION(duckdb_destroy_value);
TRANCHE_DUCKDB_FUNCTION(duckdb_disconnect);
TRANCHE_DUCKDB_FUNCTION(duckdb_enum_dictionary_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_enum_dictionary_value);
TRANCHE_DUCKDB_FUNCTION(duckdb_enum_internal_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_execute_pending);
TRANCHE_DUCKDB_FUNCTION(duckdb_extract_statements);
TRANCHE_DUCKDB_FUNCTION(duckdb_extract_statements_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_fetch_chunk);
TRANCHE_DUCKDB_FUNCTION(duckdb_free);
TRANCHE_DUCKDB_FUNCTION(duckdb_function_get_init_data);
TRANCHE_DUCKDB_FUNCTION(duckdb_function_set_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_get_type_id);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_get_column_count);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_get_column_index);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_get_extra_info);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_set_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_set_init_data);
TRANCHE_DUCKDB_FUNCTION(duckdb_init_set_max_threads);
TRANCHE_DUCKDB_FUNCTION(duckdb_interrupt);
TRANCHE_DUCKDB_FUNCTION(duckdb_list_type_child_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_list_vector_get_child);
TRANCHE_DUCKDB_FUNCTION(duckdb_list_vector_get_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_list_vector_reserve);
TRANCHE_DUCKDB_FUNCTION(duckdb_list_vector_set_size);
TRANCHE_DUCKDB_FUNCTION(duckdb_logical_type_get_alias);
TRANCHE_DUCKDB_FUNCTION(duckdb_logical_type_set_alias);
TRANCHE_DUCKDB_FUNCTION(duckdb_nparams);
TRANCHE_DUCKDB_FUNCTION(duckdb_open_ext);
TRANCHE_DUCKDB_FUNCTION(duckdb_parameter_name);
TRANCHE_DUCKDB_FUNCTION(duckdb_pending_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_pending_prepared_streaming);
TRANCHE_DUCKDB_FUNCTION(duckdb_prepare);
TRANCHE_DUCKDB_FUNCTION(duckdb_prepare_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_prepared_statement_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_query);
TRANCHE_DUCKDB_FUNCTION(duckdb_register_table_function);
TRANCHE_DUCKDB_FUNCTION(duckdb_result_error);
TRANCHE_DUCKDB_FUNCTION(duckdb_rows_changed);
TRANCHE_DUCKDB_FUNCTION(duckdb_set_config);
TRANCHE_DUCKDB_FUNCTION(duckdb_struct_type_child_count);
TRANCHE_DUCKDB_FUNCTION(duckdb_struct_type_child_name);
TRANCHE_DUCKDB_FUNCTION(duckdb_struct_type_child_type);
TRANCHE_DUCKDB_FUNCTION(duckdb_struct_vector_get_child);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_set_bind);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_set_extra_info);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_set_function);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_set_init);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_set_name);
TRANCHE_DUCKDB_FUNCTION(duckdb_table_function_supports_projection_pushdown);
TRANCHE_DUCKDB_FUNCTION(duckdb_vector_ensure_validity_writable);
TRANCHE_DUCKDB_FUNCTION(duckdb_vector_get_data);
TRANCHE_DUCKDB_FUNCTION(duckdb_vector_get_validity);

#undef TRANCHE_DUCKDB_FUNCTION

}  // namespace tranche
