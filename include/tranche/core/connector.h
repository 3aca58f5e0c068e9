// How a system registers: its name, its option tables, and how its source and its sink are made.
// Threads: value types; made once.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <tranche/core/options.h>
#include <tranche/core/parameter.h>
#include <tranche/core/script.h>
#include <tranche/core/sink.h>
#include <tranche/core/source.h>

namespace tranche {

// Which system, and its options as the job gives them. The system's own key (csv: path) is among
// the options.
struct ConnectorUse {
  std::string connector;
  Node options;
};

struct Connector {
  std::string name;                 // "csv": the key in `read:` and `write:`
  std::string summary;              // one sentence
  OptionTable read_options;         // empty: not a source
  OptionTable write_options;        // empty: not a sink
  // `base`: relative paths are relative to it. Options were checked against the table; what the
  // table can't say (a key that names no column) is an Error of kind config here.
  std::function<Result<std::unique_ptr<Source>>(const Node&, const std::filesystem::path& base)>
      make_source;
  std::function<Result<std::unique_ptr<Sink>>(const Node&, const std::filesystem::path& base)>
      make_sink;
  OptionTable execute_options = {};  // empty: executes no SQL
  std::function<Result<std::unique_ptr<Script>>(const Node&, const std::filesystem::path& base)>
      make_script = {};
  // A parameter's value in the system's SQL; null: it has none.
  std::string (*sql_value)(const Parameter& parameter) = nullptr;
  // As what its tables keep values of a type that they do not have; null: they have all.
  Type (*kept_as)(Type type) = nullptr;
};

}  // namespace tranche
