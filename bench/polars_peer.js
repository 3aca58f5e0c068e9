// Polars as a peer in measurements: the workloads, by its lazy engine with streaming sinks.
//
//   node polars_peer.js WORKLOAD PRICE TIME INPUT OUTPUT
//
// WORKLOAD is totals, parquet or jsonl; PRICE the type of unit_price: decimal or double (from JSON
// it reads no decimals); TIME is timestamp, or text where it is only passed on.
// NODE_PATH names the folder that holds nodejs-polars.
"use strict";
const pl = require("nodejs-polars");

const [workload, price, time, input, output] = process.argv.slice(2);
const schema = {
  id: pl.Int64,
  sold_at: pl.String,
  store: pl.Int32,
  sku: pl.String,
  qty: pl.Int32,
  unit_price: price === "decimal" ? pl.Decimal(12, 2) : pl.Float64,
  currency: pl.String,
  customer: pl.String,
  note: pl.String,
};
const zstd = { compression: "zstd" };

// With a format it reads timestamps twice as fast as with the type in the schema.
function records() {
  const read = workload === "jsonl" ? pl.scanJson(input, { schema }) : pl.scanCSV(input, { schema });
  if (time === "text") return read;
  const format = workload === "jsonl" ? "%Y-%m-%dT%H:%M:%S%.3f" : "%Y-%m-%d %H:%M:%S%.3f";
  return read.withColumn(pl.col("sold_at").str.strptime(pl.Datetime("ms"), format));
}

function sink() {
  if (workload !== "totals") return records().sinkParquet(output, zstd);
  return records()
    .filter(pl.col("qty").gt(0))
    .select("id", "sold_at", "sku", pl.col("qty").mul(pl.col("unit_price")).alias("total"), "currency", "customer")
    .sinkCSV(output);
}

sink().collectSync();
