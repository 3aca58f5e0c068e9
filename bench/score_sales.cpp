// The job of the measurement "CPU-bound function": a function of 20 microseconds a record, with all
// columns of the input checked, and ledger, fsync and rejects on.
//
//   score_sales run [--workers N] [--json]
//
// Reads sales.csv of the working directory and writes out/scores.csv.
#include <tranche/tranche.h>

#include <cstdint>

#include "score.h"

struct Sale {
  std::int64_t id;
};

struct Score {
  std::int64_t id;
  std::int64_t score;
};

int main(int argc, char** argv) {
  const auto job = tranche::job("sales-scores")
                       .step(tranche::step("score")
                                 .read(tranche::csv("sales.csv")
                                           .columns({{"id", "bigint"},
                                                     {"sold_at", "timestamp"},
                                                     {"store", "integer"},
                                                     {"sku", "varchar"},
                                                     {"qty", "integer"},
                                                     {"unit_price", "decimal(12,2)"},
                                                     {"currency", "varchar"},
                                                     {"customer", "varchar"},
                                                     {"note", "varchar"}}))
                                 .process([](const Sale& s) {
                                   return Score{s.id, score(s.id)};
                                 })
                                 .write(tranche::csv("out/scores.csv"))
                                 .on_error(tranche::max_rejects(1'000'000)));
  return tranche::main(argc, argv, job);
}
