#include "connectors/sqlite_keys.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche::sqlite {
namespace {

Error no_key(std::string_view text) {
  return make_error(ErrorKind::failed,
                    fmt::format("The plan is damaged: \"{}\" is no key of SQLite. Start again with "
                                "--fresh.",
                                excerpt(text)));
}

bool is_plain_text(std::string_view text) {
  return is_utf8(text) && text.find('\0') == std::string_view::npos;
}

std::optional<std::string> unhex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    unsigned byte = 0;
    const auto read = std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
    if (read.ec != std::errc() || read.ptr != text.data() + at + 2) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

class KeyWalk final : public KeyCursor {
 public:
  KeyWalk(SqliteDatabase& database, ReadShape shape, std::optional<KeyRange> begin)
      : database_(database), shape_(std::move(shape)), ahead_(std::move(begin)) {}

  // The database itself finds the key at which to cut and counts what lies up to it, with the very
  // condition by which the range is read: whatever its collation takes for equal stays together.
  Result<std::optional<KeyMark>> advance(const KeyStep& step) override {
    if (!ahead_) return std::optional<KeyMark>();
    if (!ahead_->is_nulls) {
      TRANCHE_ASSIGN(auto mark, pass_keys(step));
      if (mark) {
        ahead_->lower = KeyBound{mark->last.text, false};
        return mark;
      }
      ahead_ = KeyRange{{}, {}, true};
    }
    TRANCHE_ASSIGN(const std::uint64_t nulls, count(*ahead_));
    ahead_.reset();
    if (nulls == 0) return std::optional<KeyMark>();
    return std::optional(KeyMark{Key{true, ""}, nulls});
  }

  Result<std::optional<Key>> next_key() override {
    return make_error(ErrorKind::bug, "SQLite's keys are not divided by windows.");
  }

 private:
  Result<std::optional<KeyMark>> pass_keys(const KeyStep& step) {
    const std::uint64_t records = std::min<std::uint64_t>(step.records, INT64_MAX);
    TRANCHE_ASSIGN(auto found, database_.prepare(fmt::format(
                                   "SELECT count(*), max({0}) FROM (SELECT {0} FROM "
                                   "{1}{2} ORDER BY {0} LIMIT {3})",
                                   shape_.key, shape_.from, where_sql(shape_, *ahead_), records)));
    TRANCHE_TRY(bind_range(found, *ahead_));
    TRANCHE_TRY(found.step());
    KeyMark mark;
    mark.records = found.natural(0);
    if (mark.records == 0) return std::optional<KeyMark>();
    mark.last.text = key_text(found, 1);
    if (!shape_.is_unique) {
      KeyRange passed = *ahead_;
      passed.upper = KeyBound{mark.last.text, true};
      const std::uint64_t at_least = mark.records;
      TRANCHE_ASSIGN(mark.records, count(passed));
      if (mark.records < at_least) {
        return make_error(ErrorKind::bug,
                          fmt::format("SQLite counts {} records up to key {}, where it walked over "
                                      "{}.",
                                      mark.records, mark.last.text, at_least));
      }
    }
    return std::optional(std::move(mark));
  }

  Result<std::uint64_t> count(const KeyRange& range) {
    TRANCHE_ASSIGN(auto counted,
                   database_.prepare(fmt::format("SELECT count(*) FROM {}{}", shape_.from,
                                                 where_sql(shape_, range))));
    TRANCHE_TRY(bind_range(counted, range));
    TRANCHE_TRY(counted.step());
    return counted.natural(0);
  }

  SqliteDatabase& database_;
  ReadShape shape_;
  std::optional<KeyRange> ahead_;
};

}  // namespace

std::string key_text(const SqliteStatement& from, int column) {
  switch (from.kind(column)) {
    case SqliteKind::null:
      return "";
    case SqliteKind::integer:
      return fmt::format("{}", from.integer(column));
    case SqliteKind::real: {
      const std::string text = fmt::format("{}", from.real(column));
      const bool is_plain = text.find_first_not_of("0123456789-") == std::string::npos;
      return is_plain ? text + ".0" : text;
    }
    case SqliteKind::text: {
      const std::string_view text = from.text(column);
      return is_plain_text(text) ? fmt::format("'{}", text) : "t" + hex(text);
    }
    case SqliteKind::blob:
      break;
  }
  return "x" + hex(from.blob(column));
}

Result<void> bind_key(SqliteStatement& statement, int parameter, std::string_view text) {
  if (text.empty()) return no_key(text);
  if (text[0] == '\'') {
    statement.bind_text_copy(parameter, text.substr(1));
    return {};
  }
  if (text[0] == 't' || text[0] == 'x') {
    const auto bytes = unhex(text.substr(1));
    if (!bytes) return no_key(text);
    if (text[0] == 't') statement.bind_text_copy(parameter, *bytes);
    if (text[0] == 'x') statement.bind_blob_copy(parameter, *bytes);
    return {};
  }
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (std::from_chars(text.data(), end, whole).ptr == end) {
    statement.bind_integer(parameter, whole);
    return {};
  }
  double real = 0;
  if (std::from_chars(text.data(), end, real).ptr != end) return no_key(text);
  statement.bind_real(parameter, real);
  return {};
}

std::string where_sql(const ReadShape& shape, const KeyRange& range) {
  if (range.is_nulls) return fmt::format(" WHERE {} IS NULL", shape.key);
  std::string sql;
  if (range.lower) {
    sql = fmt::format(" WHERE {} {} ?", shape.key, range.lower->is_inclusive ? ">=" : ">");
  }
  if (range.upper) {
    sql += fmt::format("{} {} {} ?", sql.empty() ? " WHERE" : " AND", shape.key,
                       range.upper->is_inclusive ? "<=" : "<");
  }
  return sql.empty() ? fmt::format(" WHERE {} IS NOT NULL", shape.key) : sql;
}

Result<void> bind_range(SqliteStatement& statement, const KeyRange& range) {
  int parameter = 0;
  if (range.lower) TRANCHE_TRY(bind_key(statement, ++parameter, range.lower->key));
  if (range.upper) TRANCHE_TRY(bind_key(statement, ++parameter, range.upper->key));
  return {};
}

std::unique_ptr<KeyCursor> walk_keys(SqliteDatabase& database, ReadShape shape,
                                     std::optional<KeyRange> begin) {
  return std::make_unique<KeyWalk>(database, std::move(shape), std::move(begin));
}

}  // namespace tranche::sqlite
