#include "jobfile/guess_file.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "base/scratch_folder.h"
#include "base/text.h"
#include "drivers/duckdb_database.h"
#include "drivers/sqlite.h"
#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t sample_bytes_max = std::size_t{4} << 20;
constexpr std::uint64_t window_bytes_max = std::uint64_t{128} << 20;
constexpr std::uint64_t database_bytes_max = std::uint64_t{256} << 20;

Result<std::string> read_sample(const fs::path& path, TextCoding coding) {
  TRANCHE_ASSIGN(File file, File::open_read(path));
  const TextFile text(std::move(file));
  TRANCHE_ASSIGN(const auto decoder,
                 make_text_decoder(text, path.string(), coding, window_bytes_max));
  std::string sample(sample_bytes_max, '\0');
  std::size_t filled = 0;
  while (filled < sample.size()) {
    TRANCHE_ASSIGN(const std::size_t read,
                   decoder->read(sample.data() + filled, sample.size() - filled, false));
    if (read == 0) break;
    filled += read;
  }
  sample.resize(filled);
  return sample;
}

// Up to the end of its last line, unless it is the whole file.
std::string_view whole_lines(std::string_view sample) {
  if (sample.size() < sample_bytes_max) return sample;
  const std::size_t end = sample.rfind('\n');
  return end == std::string_view::npos ? sample : sample.substr(0, end + 1);
}

std::string name_without_compression(const fs::path& path) {
  std::string name = to_lower(path.filename().string());
  for (const std::string_view suffix : {".gz", ".zst"})
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

// What the file's first bytes say, else its name, else what its text looks like.
std::string system_of(const fs::path& path, std::string_view sample) {
  if (sample.starts_with("PAR1")) return "parquet";
  if (sample.starts_with(std::string_view("SQLite format 3\0", 16))) return "sqlite";
  if (sample.size() > 12 && sample.substr(8, 4) == "DUCK") return "duckdb";
  const std::string extension = fs::path(name_without_compression(path)).extension().string();
  for (const std::string_view known : {".jsonl", ".ndjson", ".json"})
    if (extension == known) return "jsonl";
  for (const std::string_view known : {".csv", ".tsv", ".psv", ".tab"})
    if (extension == known) return "csv";
  const std::size_t first = sample.find_first_not_of(" \t\r\n");
  const bool is_json =
      first != std::string_view::npos && (sample[first] == '{' || sample[first] == '[');
  return is_json ? "jsonl" : "csv";
}

// A file with a mark, or whose bytes are no UTF-8.
Encoding encoding_of(std::string_view sample) {
  if (sample.starts_with("\xFF\xFE") || sample.starts_with("\xFE\xFF")) return Encoding::utf16;
  const auto invalid = find_invalid_utf8(sample);
  const bool may_end_within_a_character = sample.size() == sample_bytes_max;
  if (!invalid || (may_end_within_a_character && *invalid + 4 > sample.size()))
    return Encoding::utf8;
  return Encoding::latin1;
}

// A copy of a sample for DuckDB to look at, for as long as this lives.
class SampleTable {
 public:
  Result<void> open(std::string_view sample) {
    TRANCHE_TRY(folder_.create());
    const fs::path file = folder_.path() / "sample.csv";
    TRANCHE_TRY(create_file_durably(file, sample));
    file_ = sql_literal(unglobbed(file.string()));
    TRANCHE_ASSIGN(const auto database,
                   DuckDatabase::open(database_bytes_max, (folder_.path() / "spill").string()));
    TRANCHE_ASSIGN(connection_, database->connect());
    return {};
  }
  Result<std::vector<std::vector<std::string>>> ask(const std::string& sql) {
    return connection_->query_texts(sql);
  }
  const std::string& file() const { return file_; }

 private:
  ScratchFolder folder_;
  std::string file_;  // as SQL
  std::unique_ptr<DuckConnection> connection_;
};

struct Sniffed {
  std::string delimiter, quote, escape, comment, skip_lines, has_header, date_format,
      timestamp_format;
  std::vector<std::pair<std::string, std::string>> columns;  // name, type

  std::vector<std::string> names_of(std::string_view type) const {
    std::vector<std::string> names;
    for (const auto& [name, column_type] : columns)
      if (column_type == type) names.push_back(name);
    return names;
  }
};

Result<Sniffed> sniff_with(SampleTable& table, std::string_view options) {
  const auto text_or_none = [](const std::string& column) {
    return fmt::format("CASE WHEN {0} = '(empty)' THEN '' ELSE {0} END", column);
  };
  TRANCHE_ASSIGN(
      const auto rows,
      table.ask(fmt::format("SELECT Delimiter, {}, {}, {}, SkipRows, HasHeader, DateFormat, "
                            "TimestampFormat FROM sniff_csv({}, sample_size = -1{})",
                            text_or_none("Quote"), text_or_none("\"Escape\""),
                            text_or_none("\"Comment\""), table.file(), options)));
  const auto& row = rows.front();
  Sniffed sniffed{row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], {}};
  TRANCHE_ASSIGN(const auto columns,
                 table.ask(fmt::format("SELECT c.name, c.type FROM (SELECT unnest(Columns) AS c "
                                       "FROM sniff_csv({}, sample_size = -1{}))",
                                       table.file(), options)));
  for (const auto& column : columns) sniffed.columns.emplace_back(column[0], column[1]);
  return sniffed;
}

// A broken record makes DuckDB take all before it for a preamble, or the whole for one column: then
// it is asked again with such records left out.
Result<Sniffed> sniff(SampleTable& table, std::string_view sample) {
  constexpr int preamble_lines_max = 20;
  auto strict = sniff_with(table, "");
  if (strict && strict->columns.size() > 1) {
    const int skipped = std::stoi(strict->skip_lines);
    const auto lines = std::count(sample.begin(), sample.end(), '\n');
    if (skipped == 0 || (skipped <= preamble_lines_max && lines >= 2L * skipped)) return strict;
  }
  auto lenient = sniff_with(table, ", ignore_errors = true");
  const bool is_better =
      lenient && (!strict || strict->columns.size() < 2 || strict->skip_lines != "0");
  return is_better ? lenient : strict;
}

// All fields as text, in the table "fields".
Result<void> load_fields(SampleTable& table, const Sniffed& sniffed) {
  std::string options;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) options += fmt::format(", {} = {}", name, sql_literal(value));
  };
  add("delim", sniffed.delimiter);
  add("quote", sniffed.quote);
  add("escape", sniffed.escape);
  add("comment", sniffed.comment);
  TRANCHE_TRY(table.ask(fmt::format(
      "CREATE TABLE fields AS SELECT * FROM read_csv({}, all_varchar = true, header = {}, skip = "
      "{}, ignore_errors = true, null_padding = true{})",
      table.file(), sniffed.has_header, sniffed.skip_lines, options)));
  return {};
}

Result<std::uint64_t> count_fields(SampleTable& table, const std::string& column,
                                   const std::string& condition) {
  const std::string name = sql_identifier(column);
  TRANCHE_ASSIGN(const auto rows,
                 table.ask(fmt::format("SELECT count(*) FROM fields WHERE {} IS NOT NULL AND ({})",
                                       name, fmt::format(fmt::runtime(condition), name))));
  return std::stoull(rows[0][0]);
}

// 03/04/2026: the third of April, or the fourth of March.
std::string with_day_and_month_swapped(std::string format) {
  for (std::size_t at = 0;
       (at = format.find('%', at)) != std::string::npos && at + 1 < format.size(); at += 2) {
    char& letter = format[at + 1];
    if (letter == 'd')
      letter = 'm';
    else if (letter == 'm')
      letter = 'd';
  }
  return format;
}

Result<bool> is_ambiguous(SampleTable& table, const std::string& format,
                          const std::vector<std::string>& columns) {
  const std::string other = with_day_and_month_swapped(format);
  if (other == format || format.starts_with("%Y")) return false;
  for (const std::string& column : columns) {
    TRANCHE_ASSIGN(
        const std::uint64_t unfit,
        count_fields(table, column,
                     fmt::format("try_strptime({{0}}, {}) IS NULL", sql_literal(other))));
    if (unfit > 0) return false;
  }
  return true;
}

Result<void> guess_time_format(SampleTable& table, const Sniffed& sniffed, const std::string& key,
                               const std::string& format, std::string_view type, FileGuess& guess) {
  const auto columns = sniffed.names_of(type);
  if (columns.empty() || format.empty() || format.starts_with("%Y-%m-%d")) return {};
  TRANCHE_ASSIGN(const bool ambiguous, is_ambiguous(table, format, columns));
  if (ambiguous) {
    guess.options.push_back(
        GuessedOption{"# " + key, yaml_text(format),
                      fmt::format("or {}? What was looked at fits both, so it stays text",
                                  yaml_text(with_day_and_month_swapped(format)))});
  } else {
    guess.options.push_back(GuessedOption{key, yaml_text(format), ""});
  }
  return {};
}

Result<void> guess_decimal_comma(SampleTable& table, const Sniffed& sniffed, FileGuess& guess) {
  if (sniffed.delimiter == ",") return {};
  for (const std::string& column : sniffed.names_of("VARCHAR")) {
    TRANCHE_ASSIGN(const std::uint64_t with_comma,
                   count_fields(table, column, "regexp_full_match({0}, '-?[0-9]+,[0-9]+')"));
    TRANCHE_ASSIGN(const std::uint64_t others,
                   count_fields(table, column, "NOT regexp_full_match({0}, '-?[0-9]+(,[0-9]+)?')"));
    if (with_comma == 0 || others > 0) continue;
    guess.options.push_back(GuessedOption{"decimal_comma", "true", "1,5 is one and a half"});
    return {};
  }
  return {};
}

Result<void> find_amounts(SampleTable& table, const Sniffed& sniffed, FileGuess& guess) {
  for (const std::string& column : sniffed.names_of("DOUBLE")) {
    TRANCHE_ASSIGN(
        const std::uint64_t others,
        count_fields(table, column, "NOT regexp_full_match({0}, '-?[0-9]+(\\.[0-9][0-9]?)?')"));
    if (others == 0) guess.amounts.push_back(column);
  }
  return {};
}

Result<void> find_null_spellings(SampleTable& table, const Sniffed& sniffed, FileGuess& guess) {
  constexpr std::array<const char*, 10> spellings{"NA",   "N/A", "n/a",   "NULL", "null",
                                                  "None", "NaN", "\\\\N", "-",    "?"};
  for (const char* const spelling : spellings) {
    for (const auto& [name, type] : sniffed.columns) {
      TRANCHE_ASSIGN(const std::uint64_t found,
                     count_fields(table, name, fmt::format("{{0}} = '{}'", spelling)));
      if (found == 0) continue;
      guess.null_spellings.push_back(spelling);
      break;
    }
  }
  return {};
}

// Whether DuckDB skipped nothing but comments, which are skipped anyway.
bool skips_only_comments(std::string_view sample, const Sniffed& sniffed) {
  if (sniffed.comment.empty()) return false;
  for (int lines = std::stoi(sniffed.skip_lines); lines > 0; --lines) {
    if (!sample.starts_with(sniffed.comment)) return false;
    sample.remove_prefix(std::min(sample.find('\n'), sample.size() - 1) + 1);
  }
  return true;
}

Result<void> guess_dialect(std::string_view sample, FileGuess& guess) {
  SampleTable table;
  TRANCHE_TRY(table.open(whole_lines(sample)));
  auto sniffed = sniff(table, sample);
  // A text that DuckDB can't make out is read as plain CSV; `check` says then what is wrong.
  if (!sniffed) return {};
  if (sniffed->comment == "\\0") sniffed->comment.clear();
  if (skips_only_comments(sample, *sniffed)) sniffed->skip_lines = "0";
  const auto add = [&](const std::string& key, const std::string& value) {
    guess.options.push_back(GuessedOption{key, yaml_text(value), ""});
  };
  if (sniffed->delimiter != ",") add("delimiter", sniffed->delimiter);
  if (!sniffed->quote.empty() && sniffed->quote != "\"") add("quote", sniffed->quote);
  if (!sniffed->escape.empty() && sniffed->escape != "\"") add("escape", sniffed->escape);
  if (!sniffed->comment.empty()) add("comment", sniffed->comment);
  if (sniffed->skip_lines != "0") {
    guess.options.push_back(GuessedOption{"skip_lines", sniffed->skip_lines, ""});
  }
  if (sniffed->has_header == "false") {
    guess.options.push_back(
        GuessedOption{"header", "false", "the columns are taken by their position"});
  }
  const auto loaded = load_fields(table, *sniffed);
  if (!loaded) return {};
  TRANCHE_TRY(
      guess_time_format(table, *sniffed, "date_format", sniffed->date_format, "DATE", guess));
  TRANCHE_TRY(guess_time_format(table, *sniffed, "timestamp_format", sniffed->timestamp_format,
                                "TIMESTAMP", guess));
  TRANCHE_TRY(guess_decimal_comma(table, *sniffed, guess));
  TRANCHE_TRY(find_amounts(table, *sniffed, guess));
  return find_null_spellings(table, *sniffed, guess);
}

Result<std::vector<std::string>> tables_of(const fs::path& path, const std::string& system) {
  std::vector<std::string> tables;
  if (system == "sqlite") {
    TRANCHE_ASSIGN(
        const auto database,
        SqliteDatabase::open(path, SqliteDatabase::Access::read_only, std::chrono::seconds(10)));
    TRANCHE_ASSIGN(auto rows,
                   database->query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name "
                                   "NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"));
    while (true) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) return tables;
      tables.push_back(rows.string(0));
    }
  }
  TRANCHE_ASSIGN(const auto database, DuckDatabase::open(database_bytes_max, ""));
  TRANCHE_ASSIGN(const auto connection, database->connect());
  TRANCHE_ASSIGN(const std::string attached, attach_to_read(*connection, path.string()));
  TRANCHE_ASSIGN(const auto rows,
                 connection->query_texts(fmt::format(
                     "SELECT table_name FROM duckdb_tables() WHERE database_name = {} AND "
                     "schema_name = 'main' ORDER BY table_oid",
                     sql_literal(attached))));
  for (const auto& row : rows) tables.push_back(row[0]);
  return tables;
}

bool is_plain_yaml(const std::string& text) {
  constexpr std::array<std::string_view, 9> words{"true", "false", "null", "yes", "no",
                                                  "on",   "off",   "y",    "n"};
  const bool is_path = text.starts_with('/') || text.starts_with("./") || text.starts_with("../");
  if (text.empty() ||
      !(std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_' || is_path))
    return false;
  if (std::find(words.begin(), words.end(), to_lower(text)) != words.end()) return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) {
                       return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/' ||
                              c == ' ';
                     }) &&
         text.back() != ' ';
}

}  // namespace

std::string yaml_text(const std::string& text) {
  return is_plain_yaml(text) ? text : Json(text).dump();  // JSON is YAML
}

Result<FileGuess> guess_file(const fs::path& path) {
  TRANCHE_ASSIGN(const FileStatus status, file_status(path));
  if (status.is_folder) {
    return make_error(ErrorKind::config,
                      fmt::format("{} is a folder; name the files in it.", path.string()));
  }
  TextCoding coding{compression_of(path.filename().string()), Encoding::utf8};
  TRANCHE_ASSIGN(std::string sample, read_sample(path, coding));
  if (sample.empty()) {
    return make_error(ErrorKind::config,
                      fmt::format("{} is empty: there is nothing to guess from.", path.string()));
  }
  FileGuess guess;
  guess.system = system_of(path, sample);
  if (guess.system == "sqlite" || guess.system == "duckdb") {
    TRANCHE_ASSIGN(guess.tables, tables_of(path, guess.system));
    return guess;
  }
  if (guess.system != "csv") return guess;
  coding.encoding = encoding_of(sample);
  if (coding.encoding != Encoding::utf8) {
    guess.options.push_back(GuessedOption{
        "encoding", coding.encoding == Encoding::utf16 ? "utf-16" : "latin-1",
        coding.encoding == Encoding::utf16 ? "" : "it is no UTF-8; this fits any bytes"});
    TRANCHE_ASSIGN(sample, read_sample(path, coding));
  }
  if (sample.find('\0') != std::string::npos) {
    return make_error(
        ErrorKind::config,
        fmt::format("{} is no text, nor Parquet, SQLite or DuckDB: there is no way to "
                    "read it.",
                    path.string()));
  }
  TRANCHE_TRY(guess_dialect(sample, guess));
  return guess;
}

}  // namespace tranche
