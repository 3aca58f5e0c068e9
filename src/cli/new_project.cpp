#include "cli/new_project.h"

#include <array>

namespace tranche {
namespace {

constexpr std::string_view sales_yaml =
    R"(# Loads sales, keeps what was sold, and works out what it came to.
#   tranche check sales.yaml     every mistake in it, and the columns between its steps
#   tranche run sales.yaml       runs it; the same again goes on after a failure
#   tranche test sales.yaml      runs it on the data in tests/sales/
job: sales

steps:
  - name: load
    read:
      csv: data/sales-*.csv        # a path, a glob or a list; also .gz, .zst, https://, s3://
      columns:
        id: bigint
        sold_at: timestamp
        sku: varchar
        qty: integer
        unit_price: decimal(12,2)
        currency: { type: varchar, null: error }
    process:
      - sql: |
          SELECT id, sold_at, sku, (qty * unit_price * rate)::decimal(18,2) AS euros
          FROM batch JOIN rates USING (currency)
          WHERE qty > 0
        tables:
          rates: { csv: rates.csv }
    on_error:
      max_rejects: 10              # bad records are kept apart: tranche rejects last
    write:
      csv: out/sales.csv           # or parquet, sqlite, duckdb, postgres

  - name: totals                   # when the step above is done
    query: |
      SELECT sku, sum(euros::decimal(18,2)) AS euros
      FROM 'out/sales.csv' GROUP BY sku ORDER BY sku
    write: { csv: out/totals.csv }
)";

constexpr std::string_view sales_csv = R"(id,sold_at,sku,qty,unit_price,currency
1,2026-01-31 09:15:00,lamp,2,19.90,EUR
2,2026-01-31 09:40:12,chair,0,49.00,EUR
3,2026-01-31 10:02:45,table,1,120.50,USD
4,2026-01-31 11:30:00,lamp,many,19.90,EUR
5,2026-01-31 12:05:30,chair,4,47.50,CHF
)";

constexpr std::string_view rates_csv = R"(currency,rate
EUR,1.0000
USD,0.9213
CHF,1.0642
)";

constexpr std::string_view case_csv = R"(id,sold_at,sku,qty,unit_price,currency
1,2026-01-31 09:00:00,lamp,2,10.00,EUR
2,2026-01-31 09:00:00,lamp,1,10.00,USD
3,2026-01-31 09:00:00,lamp,0,10.00,EUR
4,2026-01-31 09:00:00,lamp,1,10.00,
)";

constexpr std::string_view expected_sales = R"(id,sold_at,sku,euros
1,2026-01-31T09:00:00,lamp,20.00
2,2026-01-31T09:00:00,lamp,9.21
)";

constexpr std::string_view expected_totals = R"(sku,euros
lamp,29.21
)";

constexpr std::string_view expected_rejects =
    R"({"step":"load","record":3,"source":"data/sales-1.csv","line":5,"phase":"read","error":)"
    R"("Column 6 \"currency\" is empty, but a value is required.",)"
    R"("raw":"4,2026-01-31 09:00:00,lamp,1,10.00,"})"
    "\n";

constexpr std::array job_files{
    NewFile{"sales.yaml", sales_yaml, "the job: read it, then change it"},
    NewFile{"rates.csv", rates_csv, ""},
    NewFile{"data/sales-1.csv", sales_csv, "what it reads"},
    NewFile{"tests/sales/first/data/sales-1.csv", case_csv, "a case: what the job reads in it"},
    NewFile{"tests/sales/first/expected/out/sales.csv", expected_sales, "and what must come of it"},
    NewFile{"tests/sales/first/expected/out/totals.csv", expected_totals, ""},
    NewFile{"tests/sales/first/expected/rejects.jsonl", expected_rejects, ""},
};

constexpr std::string_view score_cpp = R"(// The logic of scores.yaml: a plugin. Build it by
//   COMPILE
#include <tranche/plugin_function.h>

// Fields are columns of the same name and type.
struct Sale {
  std::int64_t id;
  std::string_view sku;
  std::int32_t qty;
  tranche::Decimal<12, 2> unit_price;
  std::optional<std::string_view> coupon;  // may be null
};
struct Score {
  std::int64_t id;
  std::string_view sku;
  tranche::Decimal<18, 2> total;
  double score;
};

// `options:` of the job file; a function without any is given to TRANCHE_PLUGIN itself.
TRANCHE_PLUGIN(score, [](const tranche::PluginOptions& options) {
  const double discount = options.number("discount", 0.1);
  return [discount](const Sale& sale) -> std::optional<Score> {
    if (sale.qty == 0) return std::nullopt;  // filters the record
    if (sale.qty < 0) throw tranche::Reject("qty is negative.");
    const auto total = sale.qty * sale.unit_price;
    const double weight = sale.coupon ? 1 - discount : 1;
    return Score{sale.id, sale.sku, total, weight * total.to_double() / 100};
  };
});
)";

constexpr std::string_view scores_yaml =
    R"(# Scores sales by a function of score.so, built from score.cpp.
job: scores

steps:
  - name: score
    read:
      csv: data/sales.csv
      columns:
        id: bigint
        sku: varchar
        qty: integer
        unit_price: decimal(12,2)
        coupon: varchar
    process:
      - plugin: ./score.so
        function: score
        options: { discount: 0.2 }
    on_error:
      max_rejects: 10
    write:
      csv: out/scores.csv
)";

constexpr std::string_view score_data = R"(id,sku,qty,unit_price,coupon
1,lamp,2,19.90,
2,chair,0,49.00,
3,table,1,120.50,SPRING
4,chair,-1,49.00,
)";

constexpr std::string_view expected_scores = R"(id,sku,total,score
1,lamp,20.00,0.2
2,lamp,20.00,0.16
)";

constexpr std::string_view score_case = R"(id,sku,qty,unit_price,coupon
1,lamp,2,10.00,
2,lamp,2,10.00,SPRING
3,lamp,0,10.00,
)";

constexpr std::array plugin_files{
    NewFile{"score.cpp", score_cpp, "the plugin"},
    NewFile{"scores.yaml", scores_yaml, "a job with it"},
    NewFile{"data/sales.csv", score_data, "what it reads"},
    NewFile{"tests/scores/first/data/sales.csv", score_case, "a case: what the job reads in it"},
    NewFile{"tests/scores/first/expected/out/scores.csv", expected_scores,
            "and what must come of it"},
};

}  // namespace

const NewProject& new_job_project() {
  static constexpr NewProject project{"sales.yaml", job_files};
  return project;
}

const NewProject& new_plugin_project() {
  static constexpr NewProject project{"scores.yaml", plugin_files};
  return project;
}

}  // namespace tranche
