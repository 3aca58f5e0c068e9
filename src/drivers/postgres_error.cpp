// Which of PostgreSQL's errors asks for what.
// https://www.postgresql.org/docs/15/errcodes-appendix.html
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "drivers/postgres.h"

namespace tranche {
namespace {

using namespace std::string_view_literals;

template <std::size_t size>
bool is_one_of(std::string_view text, const std::array<std::string_view, size>& known) {
  return std::find(known.begin(), known.end(), text) != known.end();
}

// May pass by themselves: a lost connection (08), too many of them, a serialization failure or
// deadlock (40), a lock that was not got (55P03), an administrator's stop (57P0x).
constexpr std::array transient_classes{"08"sv, "40"sv};
constexpr std::array transient_states{"53300"sv, "55P03"sv, "55006"sv, "57P01"sv,
                                      "57P02"sv, "57P03"sv, "57P05"sv, "57014"sv};
// What the job, or what it names, has wrong: passwords (28), databases (3D), schemas (3F), names,
// types and permissions (42).
constexpr std::array config_classes{"28"sv, "3D"sv, "3F"sv, "42"sv};
// Values (22), constraints (23), check options of views (44), limits such as that of an index
// entry (54), functions and triggers (21, 38, 39, P0).
constexpr std::array row_classes{"21"sv, "22"sv, "23"sv, "38"sv, "39"sv, "44"sv, "54"sv, "P0"sv};
// Other classes of the server's own. A code of none of them is one that a function made up for a
// row: RAISE ... USING ERRCODE = 'A0001'.
constexpr std::array own_classes{"00"sv, "01"sv, "02"sv, "03"sv, "09"sv, "0A"sv, "0B"sv, "0F"sv,
                                 "0L"sv, "0P"sv, "0Z"sv, "20"sv, "24"sv, "25"sv, "26"sv, "27"sv,
                                 "2B"sv, "2D"sv, "2F"sv, "34"sv, "3B"sv, "53"sv, "55"sv, "57"sv,
                                 "58"sv, "72"sv, "F0"sv, "HV"sv, "XX"sv};
// Rows that we made wrong, or a table that was changed under them: no fault of the records.
constexpr std::array ours{"22P03"sv, "22P04"sv};

}  // namespace

ErrorKind postgres_error_kind(std::string_view sqlstate) {
  if (sqlstate.size() != 5) return ErrorKind::transient;  // not the server's: the connection
  const std::string_view of_class = sqlstate.substr(0, 2);
  if (is_one_of(of_class, transient_classes) || is_one_of(sqlstate, transient_states)) {
    return ErrorKind::transient;
  }
  if (is_one_of(of_class, config_classes)) return ErrorKind::config;
  if (is_one_of(sqlstate, ours)) return ErrorKind::failed;
  if (is_one_of(of_class, row_classes)) return ErrorKind::bad_record;
  if (sqlstate == "53200") return ErrorKind::memory;
  return is_one_of(of_class, own_classes) ? ErrorKind::failed : ErrorKind::bad_record;
}

std::string PostgresFailure::sentence() const {
  std::string text = sqlstate.empty() ? message : fmt::format("{}: {}", sqlstate, message);
  if (!detail.empty()) text += ": " + detail;
  if (!text.ends_with('.')) text += '.';
  return text;
}

}  // namespace tranche
