#include "jobfile/guess.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <vector>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/file.h"
#include "base/text.h"
#include "jobfile/guess_file.h"
#include "jobfile/load.h"

namespace tranche {
namespace {

// Up to so many bytes all data are read, to see whether they fit.
constexpr std::uint64_t checked_bytes_max = std::uint64_t{64} << 20;
constexpr std::size_t comment_column = 40;

struct StepGuess {
  std::string name;
  FileGuess guess;
  std::vector<std::string> files;  // as the job names them
  std::string table;
  std::uint64_t bytes = 0;
  SchemaPtr schema;   // of text: what its columns seem to be
  std::string write;  // the system that takes it
  std::optional<DataCheck> data;

  bool is_text() const { return guess.system == "csv" || guess.system == "jsonl"; }
  bool reads_like(const StepGuess& other) const {
    return table.empty() && other.table.empty() && guess.system == other.guess.system &&
           guess.options == other.guess.options && schema->names() == other.schema->names();
  }
};

bool contains(std::span<const std::string> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string with_comment(std::string line, const std::string& comment) {
  if (comment.empty()) return line + "\n";
  return fmt::format("{:<{}}  # {}\n", line, comment_column, comment);
}

std::string columns_text(const Schema& schema, std::span<const std::string> amounts) {
  std::string text = "      columns:\n";
  for (const Field& field : schema.fields) {
    text += with_comment(
        fmt::format("        {}: {}", yaml_text(field.name), yaml_text(to_string(field.type))),
        contains(amounts, field.name) ? "exact: decimal(12,2)" : "");
  }
  return text;
}

std::string read_text(const StepGuess& step) {
  std::vector<std::string> names;
  for (const std::string& file : step.files) names.push_back(yaml_text(file));
  std::string text = fmt::format("    read:\n      {}: {}\n", step.guess.system,
                                 names.size() == 1 ? names[0] : "[" + join(names, ", ") + "]");
  if (!step.table.empty()) text += fmt::format("      table: {}\n", yaml_text(step.table));
  for (const GuessedOption& option : step.guess.options) {
    text += with_comment(fmt::format("      {}: {}", option.key, option.value), option.why);
  }
  return text;
}

std::string write_text(const StepGuess& step) {
  if (step.write == "jsonl")
    return fmt::format("    write:\n      jsonl: out/{}.jsonl\n", step.name);
  return "    write:\n" +
         with_comment(fmt::format("      parquet: out/{}", step.name),
                      "or csv:, jsonl:, or postgres:, sqlite:, duckdb: with table:") +
         "      mode: replace\n";
}

std::string error_text(const StepGuess& step) {
  if (!step.data || step.data->rejects == 0) return "";
  return with_comment(fmt::format("    on_error: {{ max_rejects: {} }}", step.data->rejects),
                      "so many records don't fit: `tranche check FILE --data` shows them");
}

std::string step_text(const StepGuess& step) {
  std::string size = format_count(step.bytes) + " bytes";
  if (step.data)
    size = fmt::format("{} record{}, {}", format_count(step.data->records),
                       step.data->records == 1 ? "" : "s", size);
  std::string text = with_comment(fmt::format("  - name: {}", step.name), size) + read_text(step);
  if (step.is_text() && step.schema) text += columns_text(*step.schema, step.guess.amounts);
  text +=
      with_comment("    # batch: { rows: 100000 }", "auto: by bytes, sized to memory and machine");
  text += with_comment("    # process:", "your logic, as in");
  text += "    #   - sql: SELECT * FROM batch\n";
  return text + error_text(step) + write_text(step);
}

std::string job_text(const std::string& name, std::span<const StepGuess> steps) {
  std::string text = fmt::format("job: {}\nsteps:\n", name);
  for (const StepGuess& step : steps) text += step_text(step);
  return text;
}

class Guesser {
 public:
  explicit Guesser(fs::path job_file) : job_file_(std::move(job_file)) {}

  Result<std::string> guess(std::span<const std::string> files) {
    for (const std::string& file : files) TRANCHE_TRY(add(file));
    for (StepGuess& step : steps_) TRANCHE_TRY(finish(step));
    const std::string text = job_text(job_name_, steps_);
    return fmt::format(
        "# Made by `tranche guess` from what the data look like: read it before you rely on it.\n"
        "# Next: `tranche preview {0}` shows the first records, `tranche run {0}` loads them.\n{1}",
        job_file_.filename().string(), text);
  }

 private:
  static std::string letters_of(const std::string& text) {
    std::string name;
    for (const char c : to_lower(text))
      name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    const bool begins_well = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0]));
    return begins_well ? name : "load_" + name;
  }
  // A name that no other step has, of letters that need no quotes.
  std::string new_name(const std::string& wanted) {
    const std::string name = letters_of(wanted);
    std::string found = name;
    for (int number = 2; !names_.insert(found).second; ++number)
      found = fmt::format("{}_{}", name, number);
    return found;
  }

  Result<void> add(const std::string& file) {
    TRANCHE_ASSIGN(FileGuess found, guess_file(file));
    StepGuess step;
    const fs::path from = fs::absolute(job_file_).parent_path();
    const fs::path absolute = fs::absolute(file).lexically_normal();
    const fs::path relative = absolute.lexically_relative(from);
    step.files.push_back((fs::path(file).is_absolute() ? absolute : relative).string());
    TRANCHE_ASSIGN(const FileStatus status, file_status(file));
    step.bytes = status.bytes;
    step.guess = std::move(found);
    const std::string name = fs::path(file).filename().string();
    step.name = letters_of(name.substr(0, name.find('.')));
    if (job_name_.empty()) job_name_ = step.name;
    if (step.guess.system == "sqlite" || step.guess.system == "duckdb")
      return add_tables(std::move(step), file);
    TRANCHE_ASSIGN(step.schema, schema_of(step));
    TRANCHE_TRY(judge_nulls(step));
    for (StepGuess& other : steps_) {
      if (!other.reads_like(step)) continue;
      other.files.push_back(step.files.front());
      other.bytes += step.bytes;
      TRANCHE_ASSIGN(other.schema, schema_of(other));
      return {};
    }
    step.name = new_name(step.name);
    steps_.push_back(std::move(step));
    return {};
  }

  Result<void> add_tables(StepGuess step, const std::string& file) {
    const auto tables = std::move(step.guess.tables);
    if (tables.empty()) return make_error(ErrorKind::config, fmt::format("{} has no table.", file));
    for (const std::string& table : tables) {
      step.table = table;
      step.name = new_name(table);
      steps_.push_back(step);
    }
    return {};
  }

  // The columns that the step reads.
  Result<SchemaPtr> schema_of(const StepGuess& step) {
    StepGuess asked = step;
    asked.schema = nullptr;
    asked.name = "asked";
    asked.write = "jsonl";
    TRANCHE_ASSIGN(const auto checked, check(asked));
    if (!checked.errors.empty()) {
      Error error = checked.errors.front();
      if (error.message.find(step.files.front()) == std::string::npos)
        error.message = fmt::format("{}: {}", step.files.front(), error.message);
      return error;
    }
    return checked.stages.front().second;
  }

  // Spellings of null are what they seem where a column has a type only with them.
  Result<void> judge_nulls(StepGuess& step) {
    if (step.guess.null_spellings.empty()) return {};
    std::vector<std::string> spellings{"\"\""};
    for (const std::string& spelling : step.guess.null_spellings)
      spellings.push_back(yaml_text(spelling) == spelling && to_lower(spelling) != "none"
                              ? spelling
                              : fmt::format("\"{}\"", spelling));
    StepGuess with = step;
    with.guess.options.push_back(GuessedOption{"null", "[" + join(spellings, ", ") + "]", ""});
    TRANCHE_ASSIGN(with.schema, schema_of(with));
    for (std::size_t i = 0; i < step.schema->fields.size(); ++i) {
      if (step.schema->fields[i].type == with.schema->fields[i].type) continue;
      step = std::move(with);
      break;
    }
    return {};
  }

  Result<JobSpec> load(const StepGuess& step) const {
    Problems problems;
    auto job = parse_job(job_text("guess", std::span(&step, 1)), job_file_, {}, problems);
    if (job) return job;
    return make_error(ErrorKind::bug,
                      "The job that was guessed is wrong: " + format_problems(job_file_, problems));
  }
  Result<CheckedStep> check(const StepGuess& step) const {
    TRANCHE_ASSIGN(const JobSpec job, load(step));
    TRANCHE_ASSIGN(auto steps, check_job(job));
    return std::move(steps.front());
  }

  // What can take it, and whether all of it fits.
  Result<void> finish(StepGuess& step) {
    step.write = "parquet";
    TRANCHE_ASSIGN(auto checked, check(step));
    if (!checked.errors.empty()) {
      step.write = "jsonl";
      TRANCHE_ASSIGN(checked, check(step));
      if (!checked.errors.empty()) return checked.errors.front();
    }
    if (step.bytes > checked_bytes_max) return {};
    TRANCHE_ASSIGN(const JobSpec job, load(step));
    TRANCHE_ASSIGN(step.data, check_data(job, [](const std::string&) { return Result<void>(); }));
    return {};
  }

  fs::path job_file_;
  std::string job_name_;
  std::vector<StepGuess> steps_;
  std::set<std::string> names_;
};

}  // namespace

Result<std::string> guess_job(std::span<const std::string> files, const fs::path& job_file) {
  return Guesser(job_file.empty() ? fs::path("job.yaml") : job_file).guess(files);
}

}  // namespace tranche
