#include "connectors/sqlite_keys.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/time_windows.h"

namespace tranche::sqlite {
namespace {

Error no_key(std::string_view text) {
  return make_error(ErrorKind::failed,
                    fmt::format("The plan is damaged: \"{}\" is no key of SQLite. Start again with "
                                "--fresh.",
                                excerpt(text)));
}

// The text of a key that is stored as text, and written as it is.
bool is_time(const TimeForm& times, std::string_view key) {
  return key.starts_with('\'') && times.is_time(key.substr(1));
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
  KeyWalk(SqliteDatabase& database, ReadShape shape, std::optional<KeyRange> begin,
          std::optional<TimeForm> times)
      : database_(database),
        shape_(std::move(shape)),
        ahead_(std::move(begin)),
        times_(std::move(times)) {}

  // The database itself finds the key at which to cut and counts what lies up to it, with the very
  // condition by which the range is read: whatever its collation takes for equal stays together.
  Result<std::optional<KeyMark>> advance(const KeyStep& step) override {
    next_.reset();
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

  // The next time; where there is none, the next key of any kind.
  Result<std::optional<Key>> next_key() override {
    if (next_ || !ahead_) return next_;
    if (!ahead_->is_nulls) {
      TRANCHE_ASSIGN(auto found, next_time());
      if (!found) {
        TRANCHE_ASSIGN(found, least(*ahead_, "true"));
      }
      if (found) return next_ = std::move(found);
    }
    TRANCHE_ASSIGN(const std::uint64_t nulls, count(KeyRange{{}, {}, true}));
    if (nulls > 0) next_ = Key{true, ""};
    return next_;
  }

 private:
  Result<std::optional<Key>> next_time() {
    if (!times_) return std::optional<Key>();
    KeyRange range = *ahead_;
    while (true) {
      TRANCHE_ASSIGN(auto found, least(range, may_be_time_sql(shape_.key)));
      if (!found || is_time(*times_, found->text)) return found;
      range.lower = KeyBound{std::move(found->text), false};
    }
  }

  Result<std::optional<Key>> least(const KeyRange& range, const std::string& condition) {
    TRANCHE_ASSIGN(auto found, database_.prepare(fmt::format("SELECT min({}) FROM {}{} AND {}",
                                                             shape_.key, shape_.from,
                                                             where_sql(shape_, range), condition)));
    TRANCHE_TRY(bind_range(found, range));
    TRANCHE_TRY(found.step());
    if (found.is_null(0)) return std::optional<Key>();
    return std::optional(Key{false, key_text(found, 0)});
  }

  Result<std::optional<KeyMark>> pass_keys(const KeyStep& step) {
    const std::uint64_t records = std::min<std::uint64_t>(step.records, INT64_MAX);
    KeyRange range = *ahead_;
    if (step.below) range.upper = KeyBound{*step.below, false};
    TRANCHE_ASSIGN(auto found, database_.prepare(fmt::format(
                                   "SELECT count(*), max({0}) FROM (SELECT {0} FROM "
                                   "{1}{2} ORDER BY {0} LIMIT {3})",
                                   shape_.key, shape_.from, where_sql(shape_, range), records)));
    TRANCHE_TRY(bind_range(found, range));
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
  std::optional<KeyRange> ahead_;  // what is not passed
  std::optional<TimeForm> times_;
  std::optional<Key> next_;  // where somebody asked
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
  std::string sql;
  const auto add = [&sql](const std::string& condition) {
    sql += (sql.empty() ? " WHERE " : " AND ") + condition;
  };
  if (range.lower) add(fmt::format("{} {} ?", shape.key, range.lower->is_inclusive ? ">=" : ">"));
  if (range.upper) add(fmt::format("{} {} ?", shape.key, range.upper->is_inclusive ? "<=" : "<"));
  if (sql.empty()) add(shape.key + (range.is_nulls ? " IS NULL" : " IS NOT NULL"));
  if (!shape.filter.empty()) add(shape.filter);
  return sql;
}

Result<void> bind_range(SqliteStatement& statement, const KeyRange& range) {
  int parameter = 0;
  if (range.lower) TRANCHE_TRY(bind_key(statement, ++parameter, range.lower->key));
  if (range.upper) TRANCHE_TRY(bind_key(statement, ++parameter, range.upper->key));
  return {};
}

std::unique_ptr<KeyCursor> walk_keys(SqliteDatabase& database, ReadShape shape,
                                     std::optional<KeyRange> begin, std::optional<TimeForm> times) {
  return std::make_unique<KeyWalk>(database, std::move(shape), std::move(begin), std::move(times));
}

WindowEnd window_end_of(const TimeForm& times, const Calendar& calendar) {
  return [times, calendar](const std::string& key) -> Result<std::string> {
    if (!is_time(times, key)) return std::string();
    const TimeWindow window = calendar.window_of(time_of_text(key.substr(1), times.type()));
    return window.end == INT64_MAX ? std::string() : "'" + times.bound(window.end);
  };
}

}  // namespace tranche::sqlite
