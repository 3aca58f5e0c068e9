// Errors as values: Result<T> holds a T or an Error, in the shape of std::expected.
//
// Threads: a value type, no shared state. Lifetime: owns what it holds.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tranche {

// What the caller, in the end the engine, does next. No list of causes: those are in the message.
enum class ErrorKind {
  usage,       // the command line is wrong: stop before the start
  config,      // the job, or what it names, is wrong: stop before the start
  transient,   // may pass by itself: retry in a fresh attempt
  bad_record,  // the data are wrong: reject the record
  crash,       // the business logic died: isolate the culprit
  memory,      // out of memory: isolate, or say what would do
  timeout,     // no progress: isolate
  in_doubt,    // a commit whose outcome is unknown: ask the sink
  failed,      // the run can't go on now (disk full, file gone): stop, resumable
  busy,        // another run holds what this one needs
  stopped,     // a person or a signal asked for the end
  bug,         // an invariant of ours is broken: stop
};

// A sentence for a person: what happened, where, and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::failed;
  std::string message;  // one or more sentences, capital first letter, no trailing newline
  std::string where;    // "file:line:column" or "file at byte N", empty when the message says all
  bool operator==(const Error&) const = default;
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(implicit)
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(implicit)
  bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return assert(has_value()), std::get<0>(held_); }
  const T& value() const& { return assert(has_value()), std::get<0>(held_); }
  T&& value() && { return assert(has_value()), std::get<0>(std::move(held_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return assert(!has_value()), std::get<1>(held_); }
  const Error& error() const& { return assert(!has_value()), std::get<1>(held_); }
  Error&& error() && { return assert(!has_value()), std::get<1>(std::move(held_)); }

 private:
  std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(implicit)
  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  Error& error() & { return assert(!has_value()), *error_; }
  const Error& error() const& { return assert(!has_value()), *error_; }
  Error&& error() && { return assert(!has_value()), std::move(*error_); }

 private:
  std::optional<Error> error_;
};

inline Error make_error(ErrorKind kind, std::string message, std::string where = {}) {
  return Error{kind, std::move(message), std::move(where)};
}

}  // namespace tranche

#define TRANCHE_CONCAT_INNER(a, b) a##b
#define TRANCHE_CONCAT(a, b) TRANCHE_CONCAT_INNER(a, b)

// Returns the error of `expression` (a Result) from the enclosing function; else goes on.
#define TRANCHE_TRY(expression)                                                     \
  do {                                                                              \
    if (auto tranche_result = (expression); !tranche_result) [[unlikely]]           \
      return std::move(tranche_result).error();                                     \
  } while (false)

// TRANCHE_ASSIGN(auto file, File::open(path)): declares or assigns the value, or returns the error.
#define TRANCHE_ASSIGN(target, expression) \
  TRANCHE_ASSIGN_INNER(TRANCHE_CONCAT(tranche_result_, __LINE__), target, expression)
#define TRANCHE_ASSIGN_INNER(name, target, expression)                        \
  auto name = (expression);                                                   \
  if (!name) [[unlikely]] return std::move(name).error();                     \
  target = std::move(name).value()
