// Rows into a table by COPY, inside an open transaction: all at once, or, where the server refuses
// some of them, all but those.
//
// A refused row fails its whole COPY. So a group that had one is loaded again without the rows that
// the constraints at fault are expected to refuse too, which are then tried one by one. Where that
// is not enough it is loaded in blocks, each behind a savepoint: the server names the row by its
// line of the COPY, and the block is copied again without it, or the block is halved until one row
// is left.
// Threads: the committing thread. Lifetime: refers to its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/postgres_frames.h"
#include "connectors/postgres_shape.h"
#include "connectors/postgres_suspects.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

// What the rows of a group go through, as SQL.
struct LoadPlan {
  TableName into;
  std::vector<std::string> columns;  // of the table, in the order of a tuple's fields
  std::string prepare;               // once a session; empty: nothing
  std::string copied;  // the name of the table that takes the COPY, as messages have it
  std::string copy;    // COPY ... FROM STDIN
  std::string merge;   // upsert: from the table of the COPY into the target: gives two numbers,
                       // rows offered and rows taken
  std::string empty;   // upsert: before the next block: empties the table of the COPY
  std::string check;   // constraints that would else wait for the commit; empty: there are none
};
LoadPlan load_plan(const Target& target, const Schema& schema, const TableShape& shape,
                   const TableName& into);

// Rows of a segment that lie one behind the other, without some of them.
class RowRange {
 public:
  RowRange() = default;
  RowRange(std::size_t begin, std::size_t end);
  std::size_t rows() const;
  std::size_t row(std::size_t number) const;  // in the segment; `number`: among those of the range
  void leave_out(std::size_t row);
  std::pair<RowRange, RowRange> halves() const;  // REQUIRES at least two rows
  std::vector<std::string_view> tuples(SegmentRows& segment) const;

 private:
  std::vector<std::pair<std::size_t, std::size_t>> pieces_;  // begin and end, ascending
};

class RowLoader {
 public:
  RowLoader(LoadPlan plan, SchemaPtr schema, const std::vector<PostgresType>& types)
      : plan_(std::move(plan)),
        schema_(readable_schema(*schema, types)),
        reader_(schema_, types),
        suspects_(plan_.into, plan_.columns) {}

  const LoadPlan& plan() const { return plan_; }
  // What the server accepted, and rejects of what it refused. REQUIRES an open transaction that
  // holds nothing of these segments, and of which nothing may be committed after an error. Errors
  // of the server that are no fault of a row.
  Result<Applied> load(PostgresConnection& connection, std::span<const Segment> segments);
  // Of the rows that it refused of them.
  std::uint64_t refused_digest() const { return refused_digest_.value(); }

 private:
  enum class Whole { loaded, refused, refused_by_news };  // by a constraint not known before

  void begin_anew(Applied& applied);
  // All at once, but for the rows that `left_out` numbers through the segments, ascending. Unless
  // they are loaded, nothing is in.
  Result<Whole> load_whole(PostgresConnection& connection, std::span<const Segment> segments,
                           std::span<const std::size_t> left_out, Applied& applied);
  Result<Whole> load_around_suspects(PostgresConnection& connection,
                                     std::span<const Segment> segments, Applied& applied);
  Result<void> try_suspects(PostgresConnection& connection, std::span<const Segment> segments,
                            std::span<const std::size_t> suspects, Applied& applied);
  Result<void> load_in_blocks(PostgresConnection& connection, std::span<const Segment> segments,
                              Applied& applied);

  struct Refusal {
    std::optional<std::size_t> row;  // of those that were copied, from 0; nullopt: nobody knows
    std::string why;
  };
  Result<std::optional<Refusal>> copy(PostgresConnection& connection, const std::string& sql,
                                      std::span<const std::string_view> pieces, std::size_t rows);
  Result<std::optional<Refusal>> merge(PostgresConnection& connection);
  Result<std::optional<Refusal>> try_rows(PostgresConnection& connection, SegmentRows& segment,
                                          const RowRange& block);
  Result<void> load_block(PostgresConnection& connection, SegmentRows& segment, RowRange block,
                          Applied& applied);
  std::optional<Refusal> refusal_of(const PostgresConnection& connection, const Error& error,
                                    std::size_t rows) const;
  std::size_t block_rows() const;

  LoadPlan plan_;
  SchemaPtr schema_;  // of rejects
  PostgresTupleReader reader_;
  SuspectFinder suspects_;
  RowDigest refused_digest_;
  bool expects_refused_ = false;  // the last group had refused rows
  std::string before_try_;        // what becomes of the savepoint before the next COPY
  // Of this loader's life: how far apart refused rows lie.
  std::uint64_t rows_seen_ = 0;
  std::uint64_t rows_refused_ = 0;
};

}  // namespace tranche::postgres
