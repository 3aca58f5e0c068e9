// A source of tables that is planned and read to its end, as text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/connector.h>
#include <tranche/core/value.h>
#include <tranche/core/worker.h>
#include "base/temporary_folder.h"

namespace tranche {

struct Drained {
  std::vector<std::string> rows;  // values with a bar between, "~" for a null
  std::vector<Reject> rejects;
  std::vector<Slice> slices;
};

class TableSourceTest : public TemporaryFolder {
 protected:
  using Texts = std::vector<std::pair<std::string, std::string>>;

  Result<std::unique_ptr<Source>> make(const Connector& connector, const Texts& options,
                                       Schema types = {}) {
    Node node = Node::map();
    for (const auto& [name, text] : options) node.set(name, Node::scalar(text));
    Node columns = Node::map();
    for (const Field& field : types.fields)
      columns.set(field.name, Node::scalar(to_string(field.type)));
    if (!types.fields.empty()) node.set("columns", std::move(columns));
    return connector.make_source(node, folder_);
  }

  // The source with its inputs fixed; nullptr and a message in `problem_` otherwise.
  std::unique_ptr<Source> bound(const Connector& connector, const Texts& options,
                                const Division& division = {}, Schema types = {}) {
    const auto bind = [&]() -> Result<std::unique_ptr<Source>> {
      TRANCHE_ASSIGN(auto source, make(connector, options, std::move(types)));
      TRANCHE_ASSIGN(inputs_, source->inputs());
      TRANCHE_TRY(source->use_inputs(inputs_));
      TRANCHE_TRY(source->schema());
      TRANCHE_TRY(source->use_division(division));
      return source;
    };
    auto source = bind();
    problem_ = source ? "" : source.error().message;
    return source ? *std::move(source) : nullptr;
  }

  static void read(const Source& source, const Slice& slice, WorkerScope& worker, Drained& into) {
    auto reader = source.open(slice, worker);
    ASSERT_TRUE(reader) << reader.error().message;
    const std::size_t before = into.rows.size() + into.rejects.size();
    while (true) {
      auto page = (*reader)->next(into.rejects);
      ASSERT_TRUE(page) << page.error().message;
      if (!*page) break;
      for (std::size_t row = 0; row < (*page)->rows(); ++row) {
        std::string text;
        for (std::size_t at = 0; at < (*page)->column_count(); ++at) {
          const Column& column = (*page)->column(at);
          if (at > 0) text += '|';
          if (!column.is_valid(row)) text += '~';
          append_value_text(text, column, row);
        }
        into.rows.push_back(text);
      }
    }
    // Promise 3: what was planned is what was read.
    EXPECT_EQ(into.rows.size() + into.rejects.size() - before, slice.records) << slice.range;
  }

  Drained drain(Source& source, std::uint64_t rows = 3, const Slice* after = nullptr) {
    Drained drained;
    WorkerScope worker(0, 64 << 20, folder_.string());
    auto stream = source.divide(after);
    EXPECT_TRUE(stream) << stream.error().message;
    if (!stream) return drained;
    CutLimits limits;
    limits.records_max = rows;
    while (true) {
      auto slice = (*stream)->next(limits);
      EXPECT_TRUE(slice) << slice.error().message;
      if (!slice || !*slice) return drained;
      drained.slices.push_back(**slice);
      read(source, **slice, worker, drained);
    }
  }

  std::vector<Input> inputs_;
  std::string problem_;
};

}  // namespace tranche
