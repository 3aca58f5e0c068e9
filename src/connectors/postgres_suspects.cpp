#include "connectors/postgres_suspects.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche::postgres {
namespace {

constexpr const char* suspects_table = "pg_temp.tranche_suspects";
constexpr const char* number_column = "\"tranche number\"";
constexpr std::size_t piece_bytes = 64 << 10;

// https://www.postgresql.org/docs/15/errcodes-appendix.html
constexpr std::string_view not_null_violation = "23502";
constexpr std::string_view foreign_key_violation = "23503";
constexpr std::string_view unique_violation = "23505";
constexpr std::string_view check_violation = "23514";

std::vector<std::string> identifiers(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(postgres_identifier(name));
  return quoted;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string numbers_where(const std::string& condition) {
  return fmt::format("SELECT {} FROM {} AS suspect WHERE {}", number_column, suspects_table,
                     condition);
}

// "other.a = suspect.x AND other.b = suspect.y"
std::string equal_columns(std::string_view other, const std::vector<std::string>& its,
                          const std::vector<std::string>& ours) {
  std::vector<std::string> pairs;
  for (std::size_t i = 0; i < its.size(); ++i) {
    pairs.push_back(fmt::format("{}.{} = suspect.{}", other, postgres_identifier(its[i]),
                                postgres_identifier(ours[i])));
  }
  return join(pairs, " AND ");
}

std::vector<std::string> texts_of(const PostgresRows& rows, std::size_t column) {
  std::vector<std::string> texts;
  for (std::size_t row = 0; row < rows.size(); ++row) texts.push_back(rows.string(row, column));
  return texts;
}

std::string keys_there_already(const TableName& table, const std::vector<std::string>& key) {
  return numbers_where(fmt::format("EXISTS (SELECT FROM {} AS present WHERE {})", table.sql(),
                                   equal_columns("present", key, key)));
}

// All but the first row of each key.
std::string keys_that_repeat(const std::vector<std::string>& key) {
  const std::string list = join(identifiers(key), ", ");
  return fmt::format(
      "SELECT {0} FROM (SELECT {0}, row_number() OVER (PARTITION BY {1} ORDER BY {0}) AS nth FROM "
      "{2} WHERE num_nulls({1}) = 0) AS ranked WHERE nth > 1",
      number_column, list, suspects_table);
}

std::string keys_without_parent(const std::string& parent, const std::vector<std::string>& its,
                                const std::vector<std::string>& ours) {
  return numbers_where(
      fmt::format("num_nulls({}) = 0 AND NOT EXISTS (SELECT FROM {} AS parent WHERE {})",
                  join(identifiers(ours), ", "), parent, equal_columns("parent", its, ours)));
}

}  // namespace

bool SuspectFinder::learn(const PostgresFailure& failure) {
  if (has_given_up_ || failure.table != table_.table) return false;
  News news{failure.sqlstate,
            failure.sqlstate == not_null_violation ? failure.column : failure.constraint};
  if (news.name.empty() || std::find(seen_.begin(), seen_.end(), news) != seen_.end()) return false;
  seen_.push_back(news);
  news_.push_back(std::move(news));
  return true;
}

void SuspectFinder::give_up() {
  has_given_up_ = true;
  constraints_.clear();
  news_.clear();
}

Result<std::vector<std::size_t>> SuspectFinder::find(PostgresConnection& connection,
                                                     std::span<const Segment> segments) {
  TRANCHE_TRY(connection.execute("SAVEPOINT tranche_suspects"));
  auto found = ask(connection, segments);
  if (!found) {
    if (found.error().kind == ErrorKind::transient || !connection.is_alive()) return found;
    give_up();
    found = std::vector<std::size_t>();
  }
  TRANCHE_TRY(connection.execute("ROLLBACK TO tranche_suspects; RELEASE tranche_suspects"));
  return found;
}

Result<std::vector<std::size_t>> SuspectFinder::ask(PostgresConnection& connection,
                                                    std::span<const Segment> segments) {
  TRANCHE_TRY(look_up_news(connection));
  std::vector<std::size_t> found;
  if (constraints_.empty()) return found;
  const std::vector<std::size_t> fields = this->fields();
  TRANCHE_TRY(copy_columns(connection, segments, fields));
  std::vector<std::string> queries;
  for (const Constraint& constraint : constraints_) queries.push_back(constraint.query);
  TRANCHE_ASSIGN(const auto rows, connection.query(join(queries, " UNION ") + " ORDER BY 1"));
  found.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) found.push_back(rows.natural(row, 0));
  return found;
}

Result<void> SuspectFinder::copy_columns(PostgresConnection& connection,
                                         std::span<const Segment> segments,
                                         std::span<const std::size_t> fields) const {
  std::vector<std::string> names;
  for (const std::size_t field : fields) names.push_back(postgres_identifier(columns_[field]));
  TRANCHE_TRY(connection.begin_copy_in(fmt::format(
      "CREATE TEMP TABLE tranche_suspects ON COMMIT DROP AS SELECT 0::bigint AS {0}, {1} FROM {2} "
      "WITH NO DATA; COPY {3} ({0}, {1}) FROM STDIN (FORMAT binary)",
      number_column, join(names, ", "), table_.sql(), suspects_table)));
  std::string bytes(copy_header);
  std::int64_t number = 0;
  for (const Segment& segment : segments) {
    TRANCHE_ASSIGN(const SegmentRows rows, SegmentRows::open(segment));
    for (const SegmentRows::Frame& frame : rows.frames()) {
      std::string_view tuples = frame.tuples;
      for (std::size_t row = 0; row < frame.rows; ++row) {
        append_numbered_fields(bytes, number++, tuples, fields);
        if (bytes.size() < piece_bytes) continue;
        TRANCHE_TRY(connection.put(bytes));
        bytes.clear();
      }
    }
  }
  bytes += copy_trailer;
  TRANCHE_TRY(connection.put(bytes));
  TRANCHE_TRY(connection.finish_copy_in());
  return {};
}

std::vector<std::size_t> SuspectFinder::fields() const {
  std::vector<std::size_t> fields;
  for (std::size_t field = 0; field < columns_.size(); ++field) {
    const bool is_needed =
        std::any_of(constraints_.begin(), constraints_.end(), [&](const Constraint& constraint) {
          return contains(constraint.columns, columns_[field]);
        });
    if (is_needed) fields.push_back(field);
  }
  return fields;
}

Result<void> SuspectFinder::look_up_news(PostgresConnection& connection) {
  for (const News& news : std::exchange(news_, {})) {
    TRANCHE_ASSIGN(auto constraint, look_up(connection, news));
    if (!constraint || constraint->columns.empty()) continue;
    // Columns that the job does not load have values that only the server knows.
    const bool is_loaded =
        std::all_of(constraint->columns.begin(), constraint->columns.end(),
                    [this](const std::string& column) { return contains(columns_, column); });
    if (is_loaded) constraints_.push_back(std::move(*constraint));
  }
  return {};
}

// nullopt: it is of a kind that can't be asked for.
Result<std::optional<SuspectFinder::Constraint>> SuspectFinder::look_up(
    PostgresConnection& connection, const News& news) const {
  std::optional<Constraint> found;
  const std::string table = table_.sql();
  if (news.sqlstate == not_null_violation) {
    found = Constraint{{news.name}, numbers_where(postgres_identifier(news.name) + " IS NULL")};
  } else if (news.sqlstate == check_violation) {
    TRANCHE_ASSIGN(
        const auto rows,
        connection.query("SELECT a.attname, pg_get_expr(c.conbin, c.conrelid) FROM pg_constraint c "
                         "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = "
                         "ANY(c.conkey) WHERE c.conrelid = $1::regclass AND c.conname = $2 AND "
                         "c.contype = 'c'",
                         table, news.name));
    if (rows.size() == 0) return found;
    found =
        Constraint{texts_of(rows, 0), numbers_where(fmt::format("({}) IS FALSE", rows.text(0, 1)))};
  } else if (news.sqlstate == unique_violation) {
    TRANCHE_ASSIGN(
        const auto rows,
        connection.query("SELECT a.attname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid "
                         "CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) "
                         "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
                         "WHERE i.indrelid = $1::regclass AND x.relname = $2 AND i.indpred IS NULL "
                         "AND i.indexprs IS NULL AND k.place <= i.indnkeyatts ORDER BY k.place",
                         table, news.name));
    const std::vector<std::string> key = texts_of(rows, 0);
    if (key.empty()) return found;
    found = Constraint{key, keys_there_already(table_, key) + " UNION " + keys_that_repeat(key)};
  } else if (news.sqlstate == foreign_key_violation) {
    TRANCHE_ASSIGN(
        const auto rows,
        connection.query("SELECT a.attname, p.attname, c.confrelid::regclass::text FROM "
                         "pg_constraint c CROSS JOIN unnest(c.conkey, c.confkey) WITH ORDINALITY "
                         "AS k(ours, its, place) JOIN pg_attribute a ON a.attrelid = c.conrelid "
                         "AND a.attnum = k.ours JOIN pg_attribute p ON p.attrelid = c.confrelid "
                         "AND p.attnum = k.its WHERE c.conrelid = $1::regclass AND c.conname = $2 "
                         "AND c.contype = 'f' AND c.confrelid <> c.conrelid ORDER BY k.place",
                         table, news.name));
    if (rows.size() == 0) return found;
    const std::vector<std::string> ours = texts_of(rows, 0);
    found = Constraint{ours, keys_without_parent(rows.string(0, 2), texts_of(rows, 1), ours)};
  }
  return found;
}

}  // namespace tranche::postgres
