// Which rows of a group the table's constraints will refuse, asked of the server beforehand.
//
// A refused row fails its whole COPY. So once a constraint has refused a row, the columns that it
// is about are copied into a temporary table, where a query finds the rows that it will refuse
// again: suspects, no more. Whoever loads the group leaves them out and then tries each alone, so
// that it is still the server that refuses a row, with its own words, and a wrong suspicion costs
// nothing but time.
// Known: checks, not null, unique and primary keys, foreign keys. Unknown are triggers, exclusion
// constraints, domains, and what a partition has of its own.
// Threads: the committing thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/postgres_frames.h"
#include "connectors/postgres_shape.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

class SuspectFinder {
 public:
  // `columns`: those of the table that the fields of a tuple go to, in their order.
  SuspectFinder(const TableName& table, std::vector<std::string> columns)
      : table_(table), columns_(std::move(columns)) {}

  // Remembers the constraint by which the server refused a row. true: it was not known before.
  bool learn(const PostgresFailure& failure);
  bool knows_any() const { return !constraints_.empty() || !news_.empty(); }
  // The numbers of the suspects, counted through the segments, ascending. REQUIRES an open
  // transaction, which it leaves as it was but for locks of tables that are read. Errors: the
  // connection's; what else goes wrong ends the asking: nobody is suspected from then on.
  Result<std::vector<std::size_t>> find(PostgresConnection& connection,
                                        std::span<const Segment> segments);
  // Asking does not pay: most suspects were innocent, or the guilty are others.
  void give_up();

 private:
  struct Constraint {
    std::vector<std::string> columns;
    std::string query;  // gives the numbers of the rows that it refuses
  };
  struct News {
    std::string sqlstate;
    std::string name;  // of the constraint, or the column that may not be null
    bool operator==(const News&) const = default;
  };

  Result<void> look_up_news(PostgresConnection& connection);
  Result<std::optional<Constraint>> look_up(PostgresConnection& connection, const News& news) const;
  Result<std::vector<std::size_t>> ask(PostgresConnection& connection,
                                       std::span<const Segment> segments);
  Result<void> copy_columns(PostgresConnection& connection, std::span<const Segment> segments,
                            std::span<const std::size_t> fields) const;
  std::vector<std::size_t> fields() const;  // that some constraint is about

  TableName table_;
  std::vector<std::string> columns_;
  std::vector<Constraint> constraints_;
  std::vector<News> news_;
  std::vector<News> seen_;
  bool has_given_up_ = false;
};

}  // namespace tranche::postgres
