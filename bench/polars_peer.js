// Polars as a peer in measurements: the workloads, by its lazy engine with streaming sinks.
//
//   node polars_peer.js WORKLOAD PRICE INPUT OUTPUT
//
// WORKLOAD is totals, parquet or jsonl; PRICE the type of unit_price: decimal or double (from JSON
// it reads no decimals).
// NODE_PATH names the folder that holds nodejs-polars.
"use strict";
const pl = require("nodejs-polars");

const [workload, price, input, output] = process.argv.slice(2);
const schema = {
  id: pl.Int64,
  sold_at: pl.Datetime("ms"),
  store: pl.Int32,
  sku: pl.String,
  qty: pl.Int32,
  unit_price: price === "decimal" ? pl.Decimal(12, 2) : pl.Float64,
  currency: pl.String,
  customer: pl.String,
  note: pl.String,
};
const zstd = { compression: "zstd" };

function sink() {
  if (workload === "totals") {
    return pl
      .scanCSV(input, { schema })
      .filter(pl.col("qty").gt(0))
      .select("id", "sold_at", "sku", pl.col("qty").mul(pl.col("unit_price")).alias("total"), "currency", "customer")
      .sinkCSV(output);
  }
  if (workload === "parquet") return pl.scanCSV(input, { schema }).sinkParquet(output, zstd);
  if (workload === "jsonl") {
    return pl.scanJson(input, { schema }).sinkParquet(output, zstd);
  }
  throw new Error(`no such workload: ${workload}`);
}

sink().collectSync();
