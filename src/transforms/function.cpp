#include <tranche/transforms/function.h>

#include <exception>
#include <new>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/process.h"
#include "transforms/file_digests.h"

namespace tranche {

Result<std::vector<std::size_t>> match_columns(const Schema& record, const Schema& columns) {
  std::vector<std::size_t> found;
  for (const auto& field : record.fields) {
    const auto index = columns.find(field.name);
    if (!index) {
      return make_error(
          ErrorKind::config,
          fmt::format("The function's argument has a field \"{}\", but there is no such "
                      "column; the columns are {}.",
                      field.name, to_string(columns)));
    }
    const auto& column = columns.fields[*index];
    if (is_nested(column.type)) {
      return make_error(
          ErrorKind::config,
          fmt::format("Field \"{}\" of the function's argument is for a column that is a {}, and "
                      "functions take no lists and structs. Read it as json or varchar, or take "
                      "what is needed out of it in SQL first.",
                      field.name, to_string(column.type)));
    }
    const bool is_text = column.type.id == TypeId::json && field.type.id == TypeId::varchar;
    if (column.type != field.type && !is_text) {
      return make_error(
          ErrorKind::config,
          fmt::format("Field \"{}\" of the function's argument is a {}, but the column is "
                      "a {}. Declare the column as {}, or change the field.",
                      field.name, to_string(field.type), to_string(column.type),
                      to_string(field.type)));
    }
    found.push_back(*index);
  }
  return found;
}

Result<std::string> explain_exception(std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const Reject& reject) {
    return reject.error;
  } catch (const Transient& transient) {
    return make_error(ErrorKind::transient, transient.what());
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::memory, "The function ran out of memory.");
  } catch (const std::exception& problem) {
    return fmt::format("The function threw an exception: {}", problem.what());
  } catch (...) {
    return std::string("The function threw something that is no std::exception.");
  }
}

void reject_null(std::string_view field) { throw Reject(null_field_text(field)); }

Result<std::string> program_fingerprint() {
  const std::string id = build_id();
  if (!id.empty()) return "build " + id;
  TRANCHE_ASSIGN(const std::uint64_t digest, digest_file(executable_path()));
  return "program " + to_hex64(digest);
}

}  // namespace tranche
