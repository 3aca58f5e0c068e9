#include "connectors/http_source.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "connectors/fetched_records.h"
#include "connectors/http_options.h"
#include "connectors/http_pages.h"
#include "connectors/text_source.h"
#include "formats/jsonl_cursor.h"
#include "formats/jsonl_guess.h"
#include "formats/jsonl_reader.h"

namespace tranche {
namespace {

using Paging = HttpPagesOptions::Paging;

constexpr std::uint64_t batch_rows = 10'000;
constexpr std::uint64_t chunk_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t connection_bytes = std::uint64_t{1} << 20;  // with what it trusts
constexpr std::size_t guessed_records_max = 4096;

Error config_error(std::string message) {
  return make_error(ErrorKind::config, std::move(message));
}

struct HttpSourceOptions {
  HttpPagesOptions pages;
  std::string request;  // a digest of what shapes the records
  JsonlDialect dialect;
  Schema declared;  // no fields: guessed
};

class HttpSource final : public Source {
 public:
  explicit HttpSource(HttpSourceOptions options)
      : options_(std::move(options)),
        pages_(options_.pages),
        name_(std::make_shared<const std::string>(pages_.name())) {}

  bool is_fetched() const override { return true; }
  void keep_fetched(std::string run, std::string folder) override {
    run_ = std::move(run);
    folder_ = std::move(folder);
  }

  // Nobody knows whether a service would answer another run alike.
  Result<std::vector<Input>> inputs() override {
    Input input;
    input.name = *name_;
    if (!run_.empty()) input.digest = "fetched by " + run_;
    return std::vector<Input>{std::move(input)};
  }
  Result<void> use_inputs(std::vector<Input> inputs) override {
    if (inputs.size() != 1 || inputs.front().name != *name_)
      return config_error("The run began with another URL. Start again with --fresh.");
    fetched_ = std::make_unique<FetchedRecords>(folder_, options_.request);
    schema_.reset();
    return fetched_->load();
  }

  Result<SchemaPtr> schema() override {
    if (schema_) return schema_;
    if (fetched_->progress().pages == 0) {
      // So that a wrong URL, secret or pointer is found before the start.
      if (auto fetched = fetch_page(); !fetched) {
        Error error = std::move(fetched).error();
        if (error.kind == ErrorKind::failed) error.kind = ErrorKind::config;
        return error;
      }
    }
    if (options_.declared.fields.empty()) {
      TRANCHE_ASSIGN(schema_, guess());
    } else {
      schema_ = std::make_shared<const Schema>(options_.declared);
    }
    return schema_;
  }
  std::vector<std::string> notes() const override {
    return options_.declared.fields.empty() ? std::vector<std::string>{guessed_note}
                                            : std::vector<std::string>();
  }

  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope&) const override {
    TRANCHE_ASSIGN(File file, fetched_->open());
    JsonlDialect dialect = options_.dialect;
    dialect.rules.guessed = options_.declared.fields.empty();
    return std::unique_ptr<Reader>(std::make_unique<JsonlReader>(
        TextFile(std::move(file)), name_, dialect, JsonPlace{.end = slice.end}, schema_, slice));
  }
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override {
    TRANCHE_ASSIGN(File file, fetched_->open());
    Digest digest;
    TRANCHE_ASSIGN(const bool is_whole,
                   add_to_digest(TextFile(std::move(file)), slice.begin, slice.end, digest));
    return is_whole ? std::optional(digest.value()) : std::nullopt;
  }
  Division default_division() const override {
    Division division;
    division.rows = batch_rows;
    division.chunk_bytes = chunk_bytes;
    return division;
  }
  // An answer, its records as lines, and the connection.
  std::uint64_t planner_bytes() const override {
    return 3 * options_.pages.limits.reply_bytes_max + connection_bytes;
  }

  Result<void> fetch_page() {
    HttpProgress progress = fetched_->progress();
    TRANCHE_ASSIGN(const std::string lines, pages_.fetch(progress));
    return fetched_->append(lines, progress);
  }
  void interrupt() { pages_.interrupt(); }
  const FetchedRecords& fetched() const { return *fetched_; }
  const std::string& name() const { return *name_; }
  const JsonlDialect& dialect() const { return options_.dialect; }

 private:
  // By the first page, so that every process that looks at it guesses alike.
  Result<SchemaPtr> guess() {
    JsonlGuess guess;
    if (fetched_->first_page_bytes() > 0) {
      TRANCHE_ASSIGN(File file, fetched_->open());
      const TextFile text(std::move(file));
      RecordCursor::Use use;
      use.end = fetched_->first_page_bytes();
      JsonlCursor cursor(text, *name_, options_.dialect.max_record_bytes, use);
      for (std::size_t seen = 0; seen < guessed_records_max;) {
        TRANCHE_ASSIGN(const auto block, cursor.next());
        if (block.empty()) break;
        for (const auto& record : block) {
          if (record.fault == RecordFault::none)
            guess.add({cursor.at(record.offset), static_cast<std::size_t>(record.bytes)});
        }
        seen += block.size();
      }
    }
    auto schema = std::make_shared<const Schema>(guess.schema());
    if (!schema->fields.empty()) return SchemaPtr(std::move(schema));
    return config_error(
        fmt::format("The first page of {} has no JSON object among its {} records, so the columns "
                    "can't be guessed; declare them in `columns:`.",
                    *name_, fetched_->progress().records));
  }

  const HttpSourceOptions options_;
  HttpPages pages_;
  const std::shared_ptr<const std::string> name_;
  std::string run_;
  std::string folder_;
  std::unique_ptr<FetchedRecords> fetched_;
  SchemaPtr schema_;
};

// Cuts what was fetched, and fetches more where that ends.
class HttpSlices final : public SliceStream {
 public:
  HttpSlices(HttpSource& source, SchemaPtr schema, const Slice* after)
      : source_(source), schema_(std::move(schema)) {
    if (after == nullptr) return;
    position_ = after->end;
    next_record_ = after->first_record + after->records;
    line_ = after->end_line;
  }

  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    Slice slice;
    slice.begin = slice.end = position_;
    slice.first_line = slice.end_line = line_;
    slice.first_record = next_record_;
    Digest digest;
    while (slice.records < limits.records_max && slice.end - slice.begin < limits.bytes_max) {
      TRANCHE_ASSIGN(const bool is_there, find_more(slice.end));
      if (!is_there) break;
      TRANCHE_ASSIGN(const auto passed, cursor_->pass({slice.begin, limits.bytes_max,
                                                       limits.records_max - slice.records}));
      if (passed.records == 0) {
        cursor_.reset();
        continue;
      }
      TRANCHE_ASSIGN(const bool is_whole, add_to_digest(file_, slice.end, passed.end, digest));
      if (!is_whole)
        return make_error(ErrorKind::failed, "What was fetched has become shorter meanwhile.");
      slice.end = passed.end;
      slice.records += passed.records;
      slice.end_line += passed.records;
    }
    if (slice.records == 0) return std::optional<Slice>();
    slice.bytes = slice.file_bytes = slice.end - slice.begin;
    slice.memory_bytes = estimate_text_memory(*schema_, slice.bytes, slice.records);
    slice.digest = digest.value();
    position_ = slice.end;
    line_ = slice.end_line;
    next_record_ += slice.records;
    return std::optional<Slice>(slice);
  }

  void interrupt() override { source_.interrupt(); }

 private:
  // A cursor over records from here on; false: there are none, and no further page.
  Result<bool> find_more(std::uint64_t position) {
    if (cursor_) return true;
    while (position == source_.fetched().bytes()) {
      if (source_.fetched().progress().is_complete) return false;
      TRANCHE_TRY(source_.fetch_page());
    }
    TRANCHE_ASSIGN(File file, source_.fetched().open());
    file_ = TextFile(std::move(file));
    RecordCursor::Use use;
    use.begin = position;
    use.end = source_.fetched().bytes();
    cursor_ = std::make_unique<JsonlCursor>(file_, source_.name(),
                                            source_.dialect().max_record_bytes, use);
    return true;
  }

  HttpSource& source_;
  const SchemaPtr schema_;
  TextFile file_;
  std::unique_ptr<JsonlCursor> cursor_;
  std::uint64_t position_ = 0;
  std::uint64_t next_record_ = 0;
  std::uint64_t line_ = 1;
};

Result<std::unique_ptr<SliceStream>> HttpSource::divide(const Slice* after) {
  TRANCHE_TRY(fetched_->settle());
  return std::unique_ptr<SliceStream>(std::make_unique<HttpSlices>(*this, schema_, after));
}

OptionTable pages_table() {
  return {
      {.name = "next",
       .kind = OptionKind::text,
       .doc = "Where an answer has the URL of the next page: a JSON pointer, or link for the Link "
              "header.",
       .example = "/links/next"},
      {.name = "cursor",
       .kind = OptionKind::text,
       .doc = "A JSON pointer to what the next page is asked for with, in `parameter`.",
       .example = "/meta/next_cursor"},
      {.name = "parameter",
       .kind = OptionKind::text,
       .doc = "The parameter of the query that takes the cursor.",
       .default_text = "cursor"},
      {.name = "number",
       .kind = OptionKind::text,
       .doc = "The parameter of the query that counts pages; a page without records ends it.",
       .example = "page"},
      {.name = "offset",
       .kind = OptionKind::text,
       .doc = "The parameter of the query that counts the records before a page; a page without "
              "records ends it.",
       .example = "offset"},
      {.name = "first",
       .kind = OptionKind::count,
       .doc = "Of number and offset: where they begin; 1 and 0 when left out.",
       .example = "0"},
      {.name = "more",
       .kind = OptionKind::text,
       .doc = "A JSON pointer to what is false on the last page, and true on the others.",
       .example = "/has_more"},
  };
}

OptionTable read_table() {
  return {
      {.name = "http",
       .kind = OptionKind::text,
       .doc = "The URL of a web API, or of the first of its pages.",
       .required = true,
       .example = "https://shop.example.org/v1/orders?limit=100"},
      http_headers_option(),
      {.name = "records",
       .kind = OptionKind::text,
       .doc = "A JSON pointer to the array of records in an answer; the whole answer when left "
              "out.",
       .example = "/data"},
      {.name = "pages",
       .kind = OptionKind::map,
       .doc = "How further pages are found, by one of next, cursor, number and offset; there are "
              "none when left out.",
       .children = pages_table(),
       .example = "{ next: /links/next }"},
      {.name = "columns",
       .kind = OptionKind::columns,
       .doc = "Keys and types; `null: error` makes one required. Left out: guessed from the first "
              "page.",
       .example = "{ id: bigint, day: date, price: { type: \"decimal(12,2)\", null: error } }"},
      {.name = "unknown_keys",
       .kind = OptionKind::choice,
       .doc = "Keys of a record that are no columns: error rejects the record, ignore skips them.",
       .default_text = "error",
       .choices = {"error", "ignore"}},
      {.name = "rate",
       .kind = OptionKind::text,
       .doc = "How many calls are begun a second (2/s), a minute (60/m) or an hour at most.",
       .example = "2/s",
       .fault_of = fault_of_http_rate},
      http_timeout_option(),
      http_retry_option(),
      {.name = "max_answer",
       .kind = OptionKind::size,
       .doc = "How long the answer of a page may be; memory holds three times as much.",
       .default_text = "8MiB"},
      {.name = "max_record",
       .kind = OptionKind::size,
       .doc = "A record that is longer is rejected.",
       .default_text = "1MiB"},
  };
}

Result<JsonPointer> pointer_of(const OptionReader& options, const char* name) {
  auto pointer = JsonPointer::parse(options.text(name));
  if (pointer) return pointer;
  return config_error(fmt::format("`{}` of http: {}", name, pointer.error().message));
}

Result<void> read_pages(const OptionReader& options, HttpPagesOptions& made) {
  const bool is_link = options.text("next") == "link";
  std::vector<std::string> given;
  for (const char* name : {"next", "cursor", "number", "offset"})
    if (options.has(name)) given.push_back(name);
  if (given.size() != 1)
    return config_error(
        fmt::format("`pages:` of http has {}, and one of next, cursor, number and "
                    "offset says how further pages are found.",
                    given.empty() ? "none of them" : join(given, " and ")));
  const std::string& by = given.front();
  if (options.has("first") && by != "number" && by != "offset")
    return config_error("`first` of `pages:` is where number and offset begin.");
  if (options.has("parameter") && by != "cursor")
    return config_error("`parameter` of `pages:` is for a cursor.");
  if (by == "next" && is_link) {
    made.paging = Paging::link_header;
  } else if (by == "next" || by == "cursor") {
    made.paging = by == "next" ? Paging::next : Paging::cursor;
    TRANCHE_ASSIGN(made.pointer, pointer_of(options, by.c_str()));
    if (by == "cursor") made.parameter = options.text("parameter");
  } else {
    made.paging = by == "number" ? Paging::number : Paging::offset;
    made.parameter = options.text(by);
    made.first = options.has("first") ? options.count("first") : by == "number" ? 1 : 0;
  }
  if (options.has("more")) {
    TRANCHE_ASSIGN(made.more, pointer_of(options, "more"));
  }
  return {};
}

// A text of the job that is the same for every call.
Result<HttpTemplate> constant_text(const std::string& text, HttpTemplate::Place place) {
  TRANCHE_ASSIGN(auto made, HttpTemplate::parse(text, place));
  if (made.is_constant()) return made;
  return config_error(
      "What is read has no records before it: ${record} is for the http transform, "
      "in `process:`.");
}

Result<void> read_request(const OptionReader& options, HttpPagesOptions& made) {
  made.url_text = options.text("http");
  TRANCHE_ASSIGN(made.url, constant_text(made.url_text, HttpTemplate::Place::url));
  const std::string url = made.url.beginning();
  const bool is_web = url.starts_with("http://") || url.starts_with("https://");
  if (!is_web || url.size() == url.find("://") + 3)
    return config_error(
        "`http:` was expected to name a URL that begins with https:// (or http://) "
        "and a server.");
  Problems problems;
  check_http_headers(options.node("headers"), problems);
  if (!problems.empty()) return config_error(problems.front().message);
  bool has_accept = false;
  if (const Node* headers = options.node("headers")) {
    for (const Node::Entry& entry : headers->entries) {
      has_accept = has_accept || to_lower(entry.key) == "accept";
      TRANCHE_ASSIGN(auto text, constant_text(entry.value.text, HttpTemplate::Place::header));
      made.headers.emplace_back(entry.key, std::move(text));
    }
  }
  if (!has_accept) made.own_headers.push_back("Accept: application/json");
  return {};
}

// What shapes the records that come, without secrets.
std::string digest_of_request(const OptionReader& options) {
  std::string text = options.text("http") + '\n' + options.text("records");
  for (const char* part : {"headers", "pages"})
    if (const Node* node = options.node(part)) text += '\n' + canonical_text(*node);
  return digest_hex(text);
}

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path&) {
  static const OptionTable table = read_table();
  static const OptionTable pages = pages_table();
  const OptionReader options(node, table);
  HttpSourceOptions made;
  TRANCHE_TRY(read_request(options, made.pages));
  TRANCHE_ASSIGN(made.pages.records, pointer_of(options, "records"));
  if (const Node* given = options.node("pages"))
    TRANCHE_TRY(read_pages(OptionReader(*given, pages), made.pages));
  if (options.has("rate")) made.pages.calls_per_second = *parse_http_rate(options.text("rate"));
  made.pages.retry = read_http_retry(options);
  made.pages.limits = {options.duration("timeout"),
                       static_cast<std::size_t>(options.size("max_answer")), 1};
  made.request = digest_of_request(options);
  made.dialect.layout = JsonLayout::lines;
  made.dialect.rules.unknown_keys_ignored = options.text("unknown_keys") == "ignore";
  made.dialect.max_record_bytes = options.size("max_record");
  constexpr std::uint64_t max_record_most = std::uint64_t{1} << 30;
  if (made.dialect.max_record_bytes == 0 || made.dialect.max_record_bytes > max_record_most)
    return config_error("`max_record` of http is more than nothing, and at most 1GiB.");
  made.declared = options.columns("columns");
  return std::unique_ptr<Source>(std::make_unique<HttpSource>(std::move(made)));
}

}  // namespace

Connector http_connector() {
  Connector connector;
  connector.name = "http";
  connector.summary = "A web API: the records in its pages of JSON.";
  connector.read_options = read_table();
  connector.make_source = make_source;
  return connector;
}

}  // namespace tranche
