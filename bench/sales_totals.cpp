// The job of the measurement "CSV to CSV": a filter and exact decimal arithmetic in a C++ function,
// with all columns of the input checked, and ledger, fsync and rejects on.
//
//   sales_totals run [--workers N] [--memory SIZE] [--json]
//
// Reads sales.csv of the working directory and writes out/totals.csv.
#include <tranche/tranche.h>

#include <cstdint>
#include <optional>
#include <string_view>

struct Sale {
  std::int64_t id;
  tranche::Timestamp sold_at;
  std::string_view sku;
  int qty;
  tranche::Decimal<12, 2> unit_price;
  std::string_view currency;
  std::string_view customer;
};

struct Total {
  std::int64_t id;
  tranche::Timestamp sold_at;
  std::string_view sku;
  tranche::Decimal<18, 2> total;
  std::string_view currency;
  std::string_view customer;
};

int main(int argc, char** argv) {
  const auto job =
      tranche::job("sales-totals")
          .step(tranche::step("totals")
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
                    .process([](const Sale& s) -> std::optional<Total> {  // nullopt filters
                      if (s.qty <= 0) return std::nullopt;
                      return Total{s.id,       s.sold_at, s.sku, s.qty * s.unit_price,
                                   s.currency, s.customer};
                    })
                    .write(tranche::csv("out/totals.csv"))
                    .on_error(tranche::max_rejects(1'000'000)));
  return tranche::main(argc, argv, job);
}
