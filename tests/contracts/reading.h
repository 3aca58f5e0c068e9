// Sources for the contract suites: planned, and read to the end as text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/connector.h>
#include <tranche/core/source.h>
#include <tranche/core/value.h>
#include <tranche/core/worker.h>

#include "contracts/system.h"

namespace tranche::contracts {

constexpr std::size_t slices_max = 1000;  // more than any input of the suites has rows

struct Planned {
  std::unique_ptr<Source> source;
  std::vector<Input> inputs;
  std::vector<Slice> slices;
};

struct Read {
  std::vector<std::string> rows;  // as texts_of has them
  std::vector<Reject> rejects;
};

// Bound to `inputs`, or to what is there now where there are none. `fetched`: a folder that is the
// run's, for what is fetched. Errors: the source's.
inline Result<Planned> bind_source(const Connector& connector, const Node& node,
                                   std::vector<Input> inputs = {},
                                   const std::string& fetched = {}) {
  Planned planned;
  TRANCHE_ASSIGN(planned.source, connector.make_source(node, ""));
  planned.source->keep_fetched("run", fetched);
  if (inputs.empty()) {
    TRANCHE_ASSIGN(inputs, planned.source->inputs());
  }
  planned.inputs = inputs;
  TRANCHE_TRY(planned.source->use_inputs(std::move(inputs)));
  const auto schema = planned.source->schema();
  if (!schema) return schema.error();
  TRANCHE_TRY(planned.source->use_division(Division{}));
  return planned;
}

inline Result<std::vector<Slice>> divide(Source& source, const CutLimits& limits,
                                         const Slice* after = nullptr) {
  std::vector<Slice> slices;
  TRANCHE_ASSIGN(const auto stream, source.divide(after));
  while (true) {
    TRANCHE_ASSIGN(auto slice, stream->next(limits));
    if (!slice) return slices;
    slices.push_back(*std::move(slice));
    if (slices.size() > slices_max) return make_error(ErrorKind::bug, "The division has no end.");
  }
}

// Appends the rows of a slice.
inline Result<void> read_slice(const Source& source, const Slice& slice, WorkerScope& worker,
                               Read& into) {
  TRANCHE_ASSIGN(const auto reader, source.open(slice, worker));
  while (true) {
    TRANCHE_ASSIGN(const auto page, reader->next(into.rejects));
    if (!page) return {};
    EXPECT_EQ(page->origins.size(), page->rows());
    for (std::size_t row = 0; row < page->rows(); ++row) {
      std::string text;
      for (std::size_t at = 0; at < page->column_count(); ++at) {
        const Column& column = page->column(at);
        std::string value;
        append_value_text(value, column, row);
        text += (column.is_valid(row) ? canonical(column.type(), value) : "~") + "|";
      }
      into.rows.push_back(std::move(text));
    }
  }
}

inline Result<Read> read_slices(const Source& source, const std::vector<Slice>& slices) {
  Read read;
  WorkerScope worker(0, 64ULL << 20, ::testing::TempDir());
  for (const Slice& slice : slices) TRANCHE_TRY(read_slice(source, slice, worker, read));
  return read;
}

// Everything, in one batch.
inline Result<Read> read_all(const Connector& connector, const Node& node) {
  TRANCHE_ASSIGN(const Planned planned, bind_source(connector, node));
  TRANCHE_ASSIGN(const auto slices, divide(*planned.source, CutLimits{}));
  return read_slices(*planned.source, slices);
}

}  // namespace tranche::contracts
