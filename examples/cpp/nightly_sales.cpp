// A job in C++: the program is the job, and has the commands of `tranche`.
//
//   cd examples && ../build/release/examples/nightly_sales run
//
// Fields are columns of the same name, and their types are the columns' types: data/sales-1.csv has
// a record whose qty is "one" and one of 30 February; both are rejected before the function is
// called, and a third one by the function.
// Relative paths are relative to the working directory.
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
};

struct Total {
  std::int64_t id;
  std::string_view sku;
  tranche::Decimal<18, 2> total;
};

int main(int argc, char** argv) {
  const auto job =
      tranche::job("nightly-sales")
          .step(tranche::step("load")
                    .read(tranche::csv("data/sales-*.csv"))
                    .process([](const Sale& s) -> std::optional<Total> {  // nullopt filters
                      if (s.qty < 0) throw tranche::Reject("A sale of less than nothing.");
                      if (s.qty == 0) return std::nullopt;
                      return Total{s.id, s.sku, s.qty * s.unit_price};
                    })
                    .write(tranche::parquet("out/sales").mode(tranche::replace))
                    .on_error(tranche::max_rejects(1000)));
  return tranche::main(argc, argv, job);
}
