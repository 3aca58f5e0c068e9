#include "connectors/postgres_load.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/fault.h"
#include "drivers/big_endian.h"

namespace tranche::postgres {
namespace {

// What is sent before a COPY: the first of a group, one behind a refused one, one behind another.
constexpr const char* savepoint = "SAVEPOINT tranche_rows; ";
constexpr const char* back_to_savepoint = "ROLLBACK TO tranche_rows; ";
constexpr const char* next_savepoint = "RELEASE tranche_rows; SAVEPOINT tranche_rows; ";

constexpr const char* upsert_table = "tranche_upsert";
constexpr const char* position_column = "\"tranche position\"";

// What a savepoint and a COPY of their own cost, counted in rows that go in meanwhile. Large blocks
// are no better than this makes them: PostgreSQL 15 remembers each row of a COPY's buffer in a hash
// table under one and the same key, so the time for it grows with the square of the rows.
constexpr double block_overhead_rows = 40;
constexpr std::size_t block_rows_min = 64;
constexpr std::size_t block_rows_max = 4096;

// Within a group the last record of a key wins. A heap does not keep the order of what is copied
// into it, so each row has its position.
void plan_upsert(LoadPlan& plan, const Target& target, const Schema& schema,
                 const TableShape& shape, const TableName& into) {
  const std::string columns = column_list(schema, shape);
  std::string key;
  std::string updates;
  for (const Field& field : schema.fields) {
    const std::string name = postgres_identifier(shape.find(field.name)->name);
    std::string& list = contains_name(target.key, field.name) ? key : updates;
    if (!list.empty()) list += ", ";
    list += &list == &key ? name : fmt::format("{} = excluded.{}", name, name);
  }
  plan.copied = upsert_table;
  plan.prepare = fmt::format(
      "DROP TABLE IF EXISTS pg_temp.{0}; CREATE TEMP TABLE {0} ON COMMIT DELETE ROWS AS SELECT {1} "
      "FROM {2} WITH NO DATA; ALTER TABLE pg_temp.{0} ADD COLUMN {3} bigint GENERATED ALWAYS AS "
      "IDENTITY",
      upsert_table, columns, into.sql(), position_column);
  plan.copy = fmt::format("COPY pg_temp.{} ({}) FROM STDIN (FORMAT binary)", upsert_table, columns);
  // Where nothing is left to update, a row that is there already is not taken, and that is right.
  plan.merge = fmt::format(
      "WITH latest AS MATERIALIZED (SELECT DISTINCT ON ({1}) * FROM pg_temp.{0} ORDER BY {1}, {2} "
      "DESC), merged AS (INSERT INTO {3} ({4}) OVERRIDING SYSTEM VALUE SELECT {4} FROM latest "
      "ORDER BY {2} ON CONFLICT ({1}) DO {5} RETURNING 1) SELECT {6}",
      upsert_table, key, position_column, into.sql(), columns,
      updates.empty() ? "NOTHING" : "UPDATE SET " + updates,
      updates.empty() ? "0, 0" : "(SELECT count(*) FROM latest), (SELECT count(*) FROM merged)");
  plan.empty = fmt::format("TRUNCATE pg_temp.{}; ", upsert_table);
}

// The first "COPY table, line 7" from the outside, in whatever language.
std::optional<std::size_t> line_of(std::string_view context, std::string_view table) {
  const std::string opening = fmt::format("COPY {}, ", table);
  std::size_t at = context.rfind(opening);
  if (at == std::string_view::npos || (at > 0 && context[at - 1] != '\n')) return std::nullopt;
  at += opening.size();
  while (at < context.size() && (context[at] < '0' || context[at] > '9')) {
    if (context[at] == '\n') return std::nullopt;
    ++at;
  }
  std::size_t line = 0;
  std::from_chars(context.data() + at, context.data() + context.size(), line);
  return line;
}

// Those of the ascending numbers that lie from `begin` on in as many rows, counted from there.
std::vector<std::size_t> numbers_within(std::span<const std::size_t> numbers, std::size_t begin,
                                        std::size_t rows) {
  std::vector<std::size_t> within;
  for (auto at = std::lower_bound(numbers.begin(), numbers.end(), begin);
       at != numbers.end() && *at < begin + rows; ++at) {
    within.push_back(*at - begin);
  }
  return within;
}

Result<void> put_rows(PostgresConnection& connection, SegmentRows& rows, std::size_t begin,
                      std::size_t end) {
  for (const std::string_view piece : rows.tuples(begin, end)) {
    TRANCHE_TRY(connection.put(piece));
  }
  return {};
}

// Gives how many rows it sent. `left_out`: ascending.
Result<std::uint64_t> put_all_but(PostgresConnection& connection, SegmentRows& rows,
                                  std::span<const std::size_t> left_out) {
  if (!left_out.empty()) {
    std::size_t begin = 0;
    for (const std::size_t row : left_out) {
      TRANCHE_TRY(put_rows(connection, rows, begin, row));
      begin = row + 1;
    }
    TRANCHE_TRY(put_rows(connection, rows, begin, rows.rows()));
    return rows.rows() - left_out.size();
  }
  std::uint64_t sent = 0;
  for (const SegmentRows::Frame& frame : rows.frames()) {
    std::string_view tuples = frame.tuples;
    sent += frame.rows;
    if (frame.rows > 0 && fault_drops_record("sink")) {
      tuples.remove_prefix(postgres_tuple_bytes(tuples));
      --sent;
    }
    TRANCHE_TRY(connection.put(tuples));
  }
  return sent;
}

}  // namespace

LoadPlan load_plan(const Target& target, const Schema& schema, const TableShape& shape,
                   const TableName& into) {
  LoadPlan plan;
  plan.into = into;
  plan.columns = column_names(schema, shape);
  plan.copied = into.table;
  plan.copy = fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", into.sql(),
                          column_list(schema, shape));
  if (target.mode == Mode::upsert) plan_upsert(plan, target, schema, shape, into);
  if (shape.has_deferred) {
    plan.check = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";
  }
  return plan;
}

RowRange::RowRange(std::size_t begin, std::size_t end) : pieces_{{begin, end}} {}

std::size_t RowRange::rows() const {
  std::size_t rows = 0;
  for (const auto& [begin, end] : pieces_) rows += end - begin;
  return rows;
}

std::size_t RowRange::row(std::size_t number) const {
  for (const auto& [begin, end] : pieces_) {
    if (number < end - begin) return begin + number;
    number -= end - begin;
  }
  return pieces_.back().second - 1;
}

void RowRange::leave_out(std::size_t row) {
  std::vector<std::pair<std::size_t, std::size_t>> left;
  for (const auto& [begin, end] : pieces_) {
    if (row < begin || row >= end) {
      left.emplace_back(begin, end);
      continue;
    }
    if (begin < row) left.emplace_back(begin, row);
    if (row + 1 < end) left.emplace_back(row + 1, end);
  }
  pieces_ = std::move(left);
}

std::pair<RowRange, RowRange> RowRange::halves() const {
  const std::size_t middle = row(rows() / 2);
  std::pair<RowRange, RowRange> halves;
  for (const auto& [begin, end] : pieces_) {
    if (begin < middle) halves.first.pieces_.emplace_back(begin, std::min(end, middle));
    if (end > middle) halves.second.pieces_.emplace_back(std::max(begin, middle), end);
  }
  return halves;
}

std::vector<std::string_view> RowRange::tuples(SegmentRows& segment) const {
  std::vector<std::string_view> all;
  for (const auto& [begin, end] : pieces_) {
    const auto piece = segment.tuples(begin, end);
    all.insert(all.end(), piece.begin(), piece.end());
  }
  return all;
}

Result<Applied> RowLoader::load(PostgresConnection& connection, std::span<const Segment> segments) {
  before_try_ = savepoint;
  Applied applied;
  const std::uint64_t refused_before = rows_refused_;
  auto whole = Whole::refused;
  if (!expects_refused_) {
    TRANCHE_ASSIGN(whole, load_whole(connection, segments, {}, applied));
  }
  // A row that is merged into the table may be right only together with what is there.
  if (whole != Whole::loaded && plan_.merge.empty() && suspects_.knows_any()) {
    TRANCHE_ASSIGN(whole, load_around_suspects(connection, segments, applied));
  }
  if (whole != Whole::loaded) TRANCHE_TRY(load_in_blocks(connection, segments, applied));
  expects_refused_ = rows_refused_ > refused_before;
  // A COPY checks some of its constraints only when its buffer is full.
  std::stable_sort(applied.rejects.begin(), applied.rejects.end(),
                   [](const Reject& a, const Reject& b) { return a.record < b.record; });
  return applied;
}

void RowLoader::begin_anew(Applied& applied) {
  applied = Applied{};
  refused_digest_.take();
}

Result<RowLoader::Whole> RowLoader::load_whole(PostgresConnection& connection,
                                               std::span<const Segment> segments,
                                               std::span<const std::size_t> left_out,
                                               Applied& applied) {
  begin_anew(applied);
  TRANCHE_TRY(connection.begin_copy_in(before_try_ + plan_.copy));
  before_try_ = back_to_savepoint;
  TRANCHE_TRY(connection.put(copy_header));
  std::uint64_t sent = 0;
  std::size_t rows_before = 0;
  for (const Segment& segment : segments) {
    TRANCHE_ASSIGN(SegmentRows rows, SegmentRows::open(segment));
    const auto left = numbers_within(left_out, rows_before, rows.rows());
    TRANCHE_ASSIGN(const std::uint64_t put, put_all_but(connection, rows, left));
    rows.add_refused(schema_, applied.rejects);
    rows_before += rows.rows();
    sent += put;
  }
  TRANCHE_TRY(connection.put(copy_trailer));
  const auto refuse = [&](const Refusal& refusal) {
    rows_seen_ += refusal.row.value_or(sent) + 1;
    ++rows_refused_;
    const bool is_news = !refusal.why.empty() && suspects_.learn(connection.last_failure());
    return is_news ? Whole::refused_by_news : Whole::refused;
  };
  const auto copied = connection.finish_copy_in();
  if (!copied) {
    const auto refusal = refusal_of(connection, copied.error(), sent);
    return refusal ? Result<Whole>(refuse(*refusal)) : copied.error();
  }
  if (*copied != sent) return refuse({});
  TRANCHE_ASSIGN(const auto merged, merge(connection));
  if (merged) return refuse(*merged);
  rows_seen_ += sent;
  applied.rows += sent;
  before_try_ = next_savepoint;
  return Whole::loaded;
}

// Each refusal may be by one more constraint, of which there are not many.
Result<RowLoader::Whole> RowLoader::load_around_suspects(PostgresConnection& connection,
                                                         std::span<const Segment> segments,
                                                         Applied& applied) {
  auto whole = Whole::refused_by_news;
  while (whole == Whole::refused_by_news) {
    TRANCHE_TRY(connection.execute(before_try_));
    before_try_ = back_to_savepoint;
    TRANCHE_ASSIGN(const auto suspects, suspects_.find(connection, segments));
    TRANCHE_ASSIGN(whole, load_whole(connection, segments, suspects, applied));
    if (whole == Whole::loaded) TRANCHE_TRY(try_suspects(connection, segments, suspects, applied));
  }
  if (whole != Whole::loaded) suspects_.give_up();
  return whole;
}

Result<void> RowLoader::try_suspects(PostgresConnection& connection,
                                     std::span<const Segment> segments,
                                     std::span<const std::size_t> suspects, Applied& applied) {
  const std::uint64_t rows_before_suspects = applied.rows;
  std::size_t rows_before = 0;
  for (const Segment& segment : segments) {
    TRANCHE_ASSIGN(SegmentRows rows, SegmentRows::open(segment));
    for (const std::size_t row : numbers_within(suspects, rows_before, rows.rows())) {
      TRANCHE_TRY(load_block(connection, rows, RowRange(row, row + 1), applied));
    }
    rows_before += rows.rows();
  }
  const std::uint64_t innocent = applied.rows - rows_before_suspects;
  if (innocent > suspects.size() / 2) suspects_.give_up();
  return connection.execute(before_try_);
}

// What follows the COPY of a block.
Result<std::optional<RowLoader::Refusal>> RowLoader::merge(PostgresConnection& connection) {
  const auto judged = [&](const Error& error) -> Result<std::optional<Refusal>> {
    if (error.kind != ErrorKind::bad_record) return error;
    return std::optional<Refusal>{Refusal{{}, connection.last_failure().sentence()}};
  };
  if (!plan_.merge.empty()) {
    const auto merged = connection.query(plan_.merge);
    if (!merged) return judged(merged.error());
    if (merged->integer(0, 0) != merged->integer(0, 1)) {
      return std::optional<Refusal>{Refusal{}};
    }
  }
  if (!plan_.check.empty()) {
    const auto checked = connection.execute(plan_.check);
    if (!checked) return judged(checked.error());
  }
  return std::optional<Refusal>{};
}

// nullopt: the error is none of a row.
std::optional<RowLoader::Refusal> RowLoader::refusal_of(const PostgresConnection& connection,
                                                        const Error& error,
                                                        std::size_t rows) const {
  const PostgresFailure& failure = connection.last_failure();
  const auto line = line_of(failure.context, plan_.copied);
  const bool is_named = line && *line >= 1 && *line <= rows;
  // A policy's refusal of a row has the code of a missing permission.
  const bool is_policy = is_named && failure.sqlstate == "42501";
  if (error.kind != ErrorKind::bad_record && !is_policy) return std::nullopt;
  Refusal refusal;
  if (is_named) refusal.row = *line - 1;
  refusal.why = failure.sentence();
  return refusal;
}

Result<void> RowLoader::load_in_blocks(PostgresConnection& connection,
                                       std::span<const Segment> segments, Applied& applied) {
  begin_anew(applied);
  for (const Segment& segment : segments) {
    TRANCHE_ASSIGN(SegmentRows rows, SegmentRows::open(segment));
    for (std::size_t begin = 0; begin < rows.rows();) {
      const std::size_t end = std::min(rows.rows(), begin + block_rows());
      TRANCHE_TRY(load_block(connection, rows, RowRange(begin, end), applied));
      rows_seen_ += end - begin;
      begin = end;
    }
    rows.add_refused(schema_, applied.rejects);
  }
  return connection.execute(before_try_);
}

// The larger a block, the fewer of them, and the more is copied again for a row that it holds.
std::size_t RowLoader::block_rows() const {
  const double apart = static_cast<double>(rows_seen_ + 1) /
                       static_cast<double>(std::max<std::uint64_t>(rows_refused_, 1));
  const auto best = static_cast<std::size_t>(std::sqrt(2 * block_overhead_rows * apart));
  return std::clamp(best, block_rows_min, block_rows_max);
}

// What is refused is left out, and the rest tried again as a whole: that costs one more COPY, and
// the rows before the refused one once more.
Result<void> RowLoader::load_block(PostgresConnection& connection, SegmentRows& segment,
                                   RowRange block, Applied& applied) {
  while (block.rows() > 0) {
    TRANCHE_ASSIGN(const auto refusal, try_rows(connection, segment, block));
    if (!refusal) {
      applied.rows += block.rows();
      return {};
    }
    if (!refusal->row && block.rows() > 1) {
      auto [first, second] = block.halves();
      TRANCHE_TRY(load_block(connection, segment, std::move(first), applied));
      block = std::move(second);
      continue;
    }
    const std::size_t refused = block.row(refusal->row.value_or(0));
    std::string why = refusal->why.empty()
                          ? std::string("A trigger of the table ignored the row.")
                          : fmt::format("PostgreSQL refused the row ({}): {}",
                                        refusal->why.substr(0, refusal->why.find(':')),
                                        refusal->why.substr(refusal->why.find(':') + 2));
    applied.rejects.push_back(
        segment.reject(refused, schema_, reader_, std::move(why), refused_digest_));
    ++rows_refused_;
    block.leave_out(refused);
  }
  return {};
}

// nullopt: they are in. Otherwise nothing of them is. What the savepoint needs before the next try
// is sent along with its COPY, since each answer of the server is a wait.
Result<std::optional<RowLoader::Refusal>> RowLoader::try_rows(PostgresConnection& connection,
                                                              SegmentRows& segment,
                                                              const RowRange& block) {
  const auto pieces = block.tuples(segment);
  TRANCHE_ASSIGN(auto refusal, copy(connection, before_try_ + plan_.copy, pieces, block.rows()));
  if (!refusal) {
    TRANCHE_ASSIGN(refusal, merge(connection));
  }
  before_try_ = refusal ? back_to_savepoint : plan_.empty + next_savepoint;
  if (refusal && !refusal->why.empty()) suspects_.learn(connection.last_failure());
  return refusal;
}

Result<std::optional<RowLoader::Refusal>> RowLoader::copy(PostgresConnection& connection,
                                                          const std::string& sql,
                                                          std::span<const std::string_view> pieces,
                                                          std::size_t rows) {
  TRANCHE_TRY(connection.begin_copy_in(sql));
  TRANCHE_TRY(connection.put(copy_header));
  for (const std::string_view piece : pieces) TRANCHE_TRY(connection.put(piece));
  TRANCHE_TRY(connection.put(copy_trailer));
  const auto copied = connection.finish_copy_in();
  if (copied && *copied == rows) return std::optional<Refusal>{};
  if (copied) return std::optional<Refusal>{Refusal{}};
  auto refusal = refusal_of(connection, copied.error(), rows);
  if (!refusal) return copied.error();
  return refusal;
}

}  // namespace tranche::postgres
