// The job of the measurement "overhead": an empty function, so that what is left is what a record
// and a batch cost. BATCH_ROWS records make a batch.
//
//   pass_sales run [--workers W] [--json]
//
// Reads sales.csv of the working directory and writes out/ids.csv.
#include <tranche/tranche.h>

#include <cstdint>
#include <cstdlib>

struct Sale {
  std::int64_t id;
};

int main(int argc, char** argv) {
  const char* const text = std::getenv("BATCH_ROWS");
  const std::uint64_t rows = text == nullptr ? 100'000 : std::strtoull(text, nullptr, 10);
  const auto job = tranche::job("sales-ids")
                       .step(tranche::step("pass")
                                 .read(tranche::csv("sales.csv")
                                           .option("extra_columns", "undeclared")
                                           .columns({{"id", "bigint"}}))
                                 .batch_rows(rows)
                                 .process([](const Sale& s) { return s; })
                                 .write(tranche::csv("out/ids.csv")));
  return tranche::main(argc, argv, job);
}
