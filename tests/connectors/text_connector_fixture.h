// What the tests of the connectors of text share: options, sources, and what is read, as text.
#pragma once

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/connector.h>
#include <tranche/core/value.h>

#include "base/temporary_folder.h"

namespace tranche {

using Options = std::vector<std::pair<std::string, Node>>;

inline Node map_of(const Options& options) {
  Node node = Node::map();
  for (const auto& [key, value] : options) node.set(key, value);
  return node;
}

inline Node columns_of(std::initializer_list<std::pair<const char*, const char*>> columns) {
  Node node = Node::map();
  for (const auto& [name, type] : columns) node.set(name, Node::scalar(type));
  return node;
}

// Opens sources of text of a connector, and says every record that they read.
class TextConnectorTest : public TemporaryFolder {
 protected:
  explicit TextConnectorTest(Connector connector) : connector_(std::move(connector)) {}

  Result<std::unique_ptr<Source>> make(const Options& options) {
    const Node node = map_of(options);
    Problems problems;
    check_options(node, connector_.read_options, connector_.name, problems);
    for (const auto& problem : problems) ADD_FAILURE() << problem.message;
    TRANCHE_ASSIGN(auto source, connector_.make_source(node, folder_));
    TRANCHE_ASSIGN(auto inputs, source->inputs());
    TRANCHE_TRY(source->use_inputs(std::move(inputs)));
    return source;
  }

  std::unique_ptr<Source> open(const Options& options) {
    auto source = make(options);
    EXPECT_TRUE(source) << source.error().message;
    auto schema = (*source)->schema();
    EXPECT_TRUE(schema) << schema.error().message;
    return std::move(source).value();
  }

  std::string error_of(const Options& options) {
    auto source = make(options);
    if (!source) return source.error().message;
    auto schema = (*source)->schema();
    return schema ? "no error" : schema.error().message;
  }

  static std::vector<Slice> cut(Source& source, const CutLimits& limits,
                                const Slice* after = nullptr) {
    std::vector<Slice> slices;
    auto stream = source.divide(after).value();
    while (auto slice = stream->next(limits).value()) slices.push_back(*slice);
    return slices;
  }

  // Rows and rejects in record order, each with its ordinal, line and offset.
  std::vector<std::string> read(const Source& source, const std::vector<Slice>& slices) {
    std::vector<std::pair<std::uint64_t, std::string>> all;
    for (const auto& slice : slices) {
      auto reader = source.open(slice, worker_).value();
      std::vector<Reject> rejects;
      const std::size_t before = all.size();
      while (auto page = reader->next(rejects).value()) {
        for (std::size_t row = 0; row < page->rows(); ++row) {
          const Origin& origin = page->origins[row];
          std::string line = fmt::format("{}:{}@{} ", *page->base.source,
                                         page->base.line + origin.line, origin.offset);
          for (std::size_t i = 0; i < page->column_count(); ++i) {
            append_value_text(line, page->column(i), row);
            line += '|';
          }
          all.emplace_back(page->base.record + origin.record, line);
        }
      }
      for (const auto& reject : rejects) {
        all.emplace_back(reject.record, fmt::format("{}:{}@{} reject {}", reject.source,
                                                    reject.line, reject.offset, reject.raw));
      }
      EXPECT_EQ(all.size() - before, slice.records);
    }
    std::sort(all.begin(), all.end());
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].first, i);
      lines.push_back(all[i].second);
    }
    return lines;
  }

  const Connector connector_;
  WorkerScope worker_{0, 0, ""};
};

}  // namespace tranche
