#include "api/http_use.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "api/assemble.h"
#include "base/text.h"
#include "connectors/http_options.h"
#include "transforms/http.h"

namespace tranche {
namespace {

constexpr std::uint64_t at_once_max = 4096;
constexpr std::uint64_t records_per_call_max = 2048;  // a page
constexpr unsigned at_once_found_max = 512;           // by `concurrency: auto`

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string fault_of_concurrency(std::string_view text) {
  const auto number = whole_number(text);
  if (text == "auto" || (number && *number > 0 && *number <= at_once_max)) return {};
  return fmt::format("\"{}\" was expected to be auto, or a number from 1 to {}.", excerpt(text),
                     at_once_max);
}

std::optional<StatusAction> parse_action(const Node& node) {
  if (node.is_null() || (node.kind == Node::Kind::scalar && node.text == "null"))
    return StatusAction::null;
  if (node.kind != Node::Kind::scalar) return std::nullopt;
  if (node.text == "reject") return StatusAction::reject;
  if (node.text == "retry") return StatusAction::retry;
  if (node.text == "skip") return StatusAction::skip;
  return std::nullopt;
}

bool is_status(std::string_view text) {
  if (text.size() != 3 || text[0] < '1' || text[0] > '5') return false;
  return text.substr(1) == "xx" ||
         (text[1] >= '0' && text[1] <= '9' && text[2] >= '0' && text[2] <= '9');
}

const OptionTable& into_table() {
  static const OptionTable table = {Option{.name = "into",
                                           .kind = OptionKind::columns,
                                           .doc = "As in http_options().",
                                           .example = "{ score: double }"}};
  return table;
}

// `into:` as `columns:` are written, without the pointers.
Node plain_columns(const Node& into) {
  Node columns = into;
  for (Node::Entry& column : columns.entries)
    std::erase_if(column.value.entries,
                  [](const Node::Entry& entry) { return entry.key == "pointer"; });
  return Node::map({Node::Entry{"into", std::move(columns), into.mark}}, into.mark);
}

void check_into(const Node& into, Problems& problems) {
  check_options(plain_columns(into), into_table(), "http", problems);
  for (const Node::Entry& column : into.entries) {
    const Node* const pointer = column.value.find("pointer");
    if (pointer == nullptr) continue;
    const auto parsed = JsonPointer::parse(pointer->text);
    const bool is_text = pointer->kind == Node::Kind::scalar;
    if (is_text && parsed) continue;
    Problem& problem = problems.emplace_back();
    problem.mark = pointer->mark;
    problem.message =
        is_text ? parsed.error().message : "A pointer was expected, as in /result/score.";
  }
}

void check_statuses(const Node& statuses, Problems& problems) {
  for (const Node::Entry& entry : statuses.entries) {
    if (!is_status(entry.key)) {
      problems.push_back(
          {entry.mark, fmt::format("\"{}\" in on_status was expected to be a status, "
                                   "as 404, or a class of them, as 4xx.",
                                   excerpt(entry.key))});
    }
    if (parse_action(entry.value)) continue;
    problems.push_back({entry.value.mark.line != 0 ? entry.value.mark : entry.mark,
                        fmt::format("What to do on {} was expected to be null (go on without "
                                    "values), reject, retry or skip (leave the record out).",
                                    excerpt(entry.key))});
  }
}

PlacedText placed_text(const JobSpec& job, const Node& node, Mark otherwise) {
  return {node.text, place(job, node.mark.line != 0 ? node.mark : otherwise)};
}

std::vector<HttpColumn> columns_of(const Node& into) {
  const Node plain = plain_columns(into);
  std::vector<HttpColumn> made;
  for (const Field& field : OptionReader(plain, into_table()).columns("into").fields) {
    const Node* const pointer = into.find(field.name)->find("pointer");
    made.push_back({field, pointer == nullptr ? JsonPointer::to_member(field.name)
                                              : JsonPointer::parse(pointer->text).value()});
  }
  return made;
}

// Worker processes know nothing of each other: each has its share.
HttpPace::Limits pace_of(const OptionReader& options, const WorkersSpec& workers) {
  const unsigned shares =
      workers.kind == WorkersSpec::Kind::processes ? std::max(1U, workers.count) : 1;
  HttpPace::Limits made;
  const std::string at_once = options.text("concurrency");
  if (at_once != "auto")
    made.at_once = std::max(1U, static_cast<unsigned>(*whole_number(at_once)) / shares);
  made.at_once_max = std::max(1U, at_once_found_max / shares);
  if (options.has("rate")) made.calls_per_second = *parse_http_rate(options.text("rate")) / shares;
  return made;
}

// What is told of calls about several records.
Result<void> read_several(const JobSpec& job, const OptionReader& options, HttpOptions& http) {
  const auto wrong = [&](const char* option, std::string what) {
    return make_error(ErrorKind::config, std::move(what), place(job, options.mark(option)));
  };
  const std::uint64_t most = options.count("records_per_call");
  if (most == 0 || most > records_per_call_max)
    return wrong("records_per_call",
                 fmt::format("\"records_per_call\" was expected to be a number from 1 to {}.",
                             records_per_call_max));
  http.records_per_call = static_cast<std::size_t>(most);
  for (const char* option : {"answers", "match_by"})
    if (most == 1 && options.has(option))
      return wrong(option, fmt::format("\"{}\" is for calls about several records; say how many "
                                       "in `records_per_call:`.",
                                       option));
  auto answers = JsonPointer::parse(options.text("answers"));
  if (!answers) return wrong("answers", answers.error().message);
  http.answers = *std::move(answers);
  http.match_by = options.text("match_by");
  return {};
}

}  // namespace

const OptionTable& http_options() {
  static const OptionTable table = {
      Option{.name = "http",
             .kind = OptionKind::text,
             .doc = "The URL that is called for each record; ${record.column} in it is a value of "
                    "the record, percent-encoded.",
             .required = true,
             .example = "https://stock.example.org/items/${record.sku}"},
      Option{.name = "method",
             .kind = OptionKind::choice,
             .doc = "The method; when left out POST with a body, and GET without.",
             .choices = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"},
             .example = "PUT"},
      http_headers_option(),
      Option{.name = "body",
             .kind = OptionKind::text,
             .doc = "What is sent; ${record.column} in it is a value as JSON, quotes included, and "
                    "${record} all of the record.",
             .example = "'{\"sku\": ${record.sku}}'"},
      Option{.name = "records_per_call",
             .kind = OptionKind::count,
             .doc = "How many records a call is about; then ${records} in the body is an array of "
                    "them, and ${records.column} one of their values.",
             .default_text = "1",
             .example = "100"},
      Option{.name = "answers",
             .kind = OptionKind::text,
             .doc = "Of a call about several: a JSON pointer to the array with an answer for each; "
                    "the whole answer when left out.",
             .example = "/results"},
      Option{.name = "match_by",
             .kind = OptionKind::text,
             .doc = "Of a call about several: the column, and the member of each answer, that says "
                    "whose it is; their order when left out.",
             .example = "sku"},
      Option{.name = "into",
             .kind = OptionKind::any,
             .doc =
                 "The columns that are taken from answers, with their types; a JSON pointer says "
                 "where a value is, when that is not the column's name.",
             .example = "{ score: double, risk: { pointer: /result/risk, type: varchar } }"},
      Option{.name = "on_status",
             .kind = OptionKind::any,
             .doc = "What to do on a status: null (the record goes on without values), reject, "
                    "retry, or skip (the record is left out).",
             .example = "{ 404: null }"},
      Option{.name = "concurrency",
             .kind = OptionKind::text,
             .doc = "How many calls are in flight at once in the whole step; auto: as many as pay.",
             .default_text = "auto",
             .fault_of = fault_of_concurrency},
      Option{
          .name = "rate",
          .kind = OptionKind::text,
          .doc = "How many calls are begun a second (100/s), a minute (600/m) or an hour at most.",
          .example = "100/s",
          .fault_of = fault_of_http_rate},
      http_timeout_option(),
      http_retry_option(),
      Option{.name = "max_answer",
             .kind = OptionKind::size,
             .doc = "How long an answer may be; a longer one rejects its record.",
             .default_text = "1MiB"},
  };
  return table;
}

void check_http(const Node& node, Problems& problems) {
  const auto map_of = [&](const char* key, const char* example) -> const Node* {
    const Node* const given = node.find(key);
    if (given == nullptr || given->kind == Node::Kind::map) return given;
    problems.push_back(
        {given->mark, fmt::format("\"{}\" was expected to be a map, as in {}.", key, example)});
    return nullptr;
  };
  if (const Node* into = map_of("into", "into: { score: double }")) check_into(*into, problems);
  if (const Node* statuses = map_of("on_status", "on_status: { 404: null }"))
    check_statuses(*statuses, problems);
  check_http_headers(node.find("headers"), problems);
}

Result<std::unique_ptr<Transform>> make_http(const JobSpec& job, const TransformUse& use,
                                             const WorkersSpec& workers, std::size_t stage) {
  const OptionReader options(use.options, http_options());
  HttpOptions http;
  http.stage = stage;
  http.url = {options.text("http"), place(job, options.mark("http"))};
  if (options.has("body")) http.body = {options.text("body"), place(job, options.mark("body"))};
  http.method = options.text("method");
  if (http.method.empty()) http.method = options.has("body") ? "POST" : "GET";
  if (const Node* headers = options.node("headers")) {
    for (const Node::Entry& entry : headers->entries)
      http.headers.emplace_back(entry.key, placed_text(job, entry.value, entry.mark));
  }
  if (const Node* into = options.node("into")) http.into = columns_of(*into);
  if (const Node* statuses = options.node("on_status")) {
    for (const Node::Entry& entry : statuses->entries)
      http.on_status[entry.key] = *parse_action(entry.value);
  }
  TRANCHE_TRY(read_several(job, options, http));
  http.timeout = options.duration("timeout");
  http.answer_bytes_max = options.size("max_answer");
  http.retry = read_http_retry(options);
  http.pace = pace_of(options, workers);
  return make_http_transform(std::move(http));
}

}  // namespace tranche
