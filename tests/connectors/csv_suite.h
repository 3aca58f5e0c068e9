// Reads a text by the csv connector and says every record: what the suites of other parsers need.
#pragma once

#include <algorithm>

#include <fmt/format.h>

#include "base/temporary_folder.h"
#include "base/text.h"
#include "connectors/csv.h"

#include <tranche/core/value.h>

namespace tranche {

class CsvSuite : public TemporaryFolder {
 protected:
  struct Answer {
    std::string refusal;               // why nothing was read
    std::vector<std::string> records;  // in order: fields joined by |, or "reject: why"
  };

  // `options` without `csv`.
  Answer read(const std::string& text, Node options) {
    put("data.csv", text);
    options.set("csv", Node::scalar("data.csv"));
    Answer answer;
    const auto read = read_into(options, answer);
    if (!read) answer.refusal = read.error().message;
    return answer;
  }

 private:
  Result<void> read_into(const Node& options, Answer& answer) {
    TRANCHE_ASSIGN(const auto source, connector_.make_source(options, folder_));
    TRANCHE_ASSIGN(auto inputs, source->inputs());
    TRANCHE_TRY(source->use_inputs(std::move(inputs)));
    TRANCHE_ASSIGN(const auto stream, source->divide(nullptr));
    std::vector<std::pair<std::uint64_t, std::string>> found;
    while (true) {
      TRANCHE_ASSIGN(const auto slice, stream->next({}));
      if (!slice) break;
      std::vector<Reject> rejects;
      TRANCHE_ASSIGN(const auto reader, source->open(*slice, worker_));
      while (true) {
        TRANCHE_ASSIGN(const auto page, reader->next(rejects));
        if (page == nullptr) break;
        for (std::size_t row = 0; row < page->rows(); ++row) {
          found.emplace_back(page->base.record + page->origins[row].record, line_of(*page, row));
        }
      }
      for (const Reject& reject : rejects) {
        found.emplace_back(reject.record, "reject: " + reject.error);
      }
    }
    std::sort(found.begin(), found.end());
    for (auto& [record, line] : found) answer.records.push_back(std::move(line));
    return {};
  }

  static std::string line_of(const Page& page, std::size_t row) {
    std::string line;
    for (std::size_t i = 0; i < page.column_count(); ++i) {
      if (i > 0) line += '|';
      append_value_text(line, page.column(i), row);
    }
    return line;
  }

  const Connector connector_ = csv_connector();
  WorkerScope worker_{0, 0, ""};
};

// name: varchar for each name.
inline Node varchar_columns(const std::vector<std::string>& names) {
  Node columns = Node::map();
  for (const std::string& name : names) columns.set(name, Node::scalar("varchar"));
  return columns;
}

}  // namespace tranche
