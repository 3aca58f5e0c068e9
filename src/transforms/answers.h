// The records of a page that a program is asked about, and its answers: what it is sent, and how
// each line, or message of Arrow, that comes back is understood. docs/programs.md is the protocol.
//
// An answer belongs to the record that it names by `_id`. One without is that of a record that was
// asked about alone; among many it is only counted, for it would be a guess whose it is.
//
// Threads: belongs to one thread. Lifetime: the page outlives what is asked about it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tranche/core/page.h>

#include "formats/arrow_export.h"
#include "formats/arrow_stream.h"
#include "formats/csv_convert.h"
#include "formats/csv_fields.h"
#include "formats/csv_writer.h"
#include "formats/jsonl_row.h"
#include "formats/jsonl_writer.h"
#include "transforms/answered_columns.h"

namespace tranche {

enum class ProgramFormat { jsonl, csv, arrow };

// The columns behind a program: those of the input, some of them declared anew, and those that it
// adds. Errors: config.
Result<SchemaPtr> columns_behind_program(const Schema& input, const Schema& added,
                                         ProgramFormat format);

// What a program has said of the form of its answers: belongs to it, whoever asks.
struct AnswerForm {
  std::vector<std::string> csv_header;
  ArrowStreamReader arrow;
  SchemaPtr arrow_schema;                  // of the columns that mean something; nullptr: none yet
  std::vector<std::size_t> arrow_columns;  // where they stand in its batches
  std::vector<std::size_t> arrow_places;   // and in an answer
};

class Answers {
 public:
  // REQUIRES columns_behind_program, and its result.
  Answers(SchemaPtr input, const Schema& added, SchemaPtr output, ProgramFormat format);

  // Another page: none of its records has an answer.
  void begin(const Page& page);
  // What a program is sent before any record.
  std::string greeting() const;
  // The program that is asked from here on.
  void listen_to(AnswerForm& form) { form_ = &form; }

  // The bytes of the first whole answer of what was heard, a line or a message; 0: it has not come
  // as a whole yet. Errors: failed, as part of a sentence.
  Result<std::size_t> answer_bytes(std::string_view heard) const;
  // What was heard is all there is: a last line has no end, then.
  void end_of_output(std::string& heard) const;

  // From here on the program is asked about these rows, in order; what it is sent. A record that
  // can't be sent is rejected.
  std::string ask(std::vector<std::uint32_t> rows);
  // Understands a whole answer; what is wrong with it, as part of a sentence, and suspect() is
  // whose it is.
  std::optional<std::string> take(std::string_view answer);
  bool is_complete() const { return answered_ == asked_.size(); }
  // Whether each answer so far has said whose it is.
  bool has_named_all() const { return named_ == answered_; }
  std::span<const std::uint32_t> asked() const { return asked_; }
  // Among those asked: whose answer was wrong, or is the first one that is missing; their number
  // when nobody's is.
  std::size_t suspect() const;
  // The answers to these rows are worth nothing.
  void forget(std::span<const std::uint32_t> rows);

  bool is_settled(std::uint32_t row) const { return slots_[row].is_settled; }
  // Those of the page that have neither an answer nor a reject, in order.
  std::vector<std::uint32_t> waiting() const;
  void reject(std::uint32_t row, std::string why) { settle(row, 0, 0, std::move(why)); }
  const std::map<std::uint32_t, std::string>& rejects() const { return rejects_; }
  // The records of the result for the rows from `row` on, about a page of them; `row` is then the
  // next one. REQUIRES that nobody waits.
  std::unique_ptr<Page> result(std::uint32_t& row, std::uint64_t& filtered) const;

 private:
  struct Slot {
    bool is_settled = false;
    std::uint32_t first = 0;  // its rows of answers_
    std::uint32_t rows = 0;
  };
  // A line that holds values, and where it says for whom.
  struct Reading {
    std::uint32_t first = 0;
    std::uint32_t rows = 0;
    std::string id;     // empty: it says nothing
    std::string error;  // the record is rejected by it
  };

  std::optional<std::string> understand(std::string_view line);
  std::optional<std::string> read_json(std::string_view line, Reading& reading);
  std::optional<std::string> read_object(std::string_view text, Reading& reading, bool is_element);
  std::optional<std::string> read_list(std::string_view text, Reading& reading);
  std::optional<std::string> read_csv(std::string_view line, Reading& reading);
  std::optional<std::string> read_csv_header(std::string_view line);
  std::string_view split_csv(std::string_view line);
  std::optional<std::string> read_arrow(std::string_view message);
  std::optional<std::string> read_arrow_schema();
  std::optional<std::string> read_arrow_batch();
  ArrowSchema chosen_schema(std::vector<ArrowSchema*>& pointers) const;
  using Faults = std::map<std::uint32_t, std::string>;  // by row
  std::optional<std::string> place_batch(const Page& batch, const Faults& faults);
  std::uint32_t copy_rows(const Page& batch);
  std::string fault_of_row(const Page& batch, const Faults& faults, std::uint32_t row,
                           std::uint32_t copy) const;
  std::optional<std::string> place(Reading reading);
  std::optional<std::size_t> find_asked(std::string_view id);
  std::uint32_t next_row();
  std::string missing_value(std::uint32_t row) const;
  void settle(std::uint32_t row, std::uint32_t first, std::uint32_t rows, std::string why);
  std::string encode(std::span<const std::uint32_t> rows);
  std::string encode_arrow(std::span<const std::uint32_t> rows);
  std::unique_ptr<Page> page_to_send(std::span<const std::uint32_t> rows) const;
  std::string_view kept(std::string_view line);
  void name_records();

  SchemaPtr input_;
  Schema added_;
  SchemaPtr output_;
  SchemaPtr sent_;
  SchemaPtr answer_;  // the columns added, those of the protocol, those of the input
  ProgramFormat format_;
  AnsweredColumns columns_;
  JsonlRow json_row_;
  JsonlRow id_row_;
  CsvDialect csv_dialect_;
  CsvFields csv_fields_;
  CsvConverter csv_values_;
  std::vector<CsvField> fields_;
  ArrowExport export_;
  AnswerForm* form_ = nullptr;

  const Page* page_ = nullptr;
  std::vector<std::string> ids_;  // a row of the page
  std::uint64_t ids_given_ = 0;   // where records have no number of their own
  std::vector<Slot> slots_;
  std::map<std::uint32_t, std::string> rejects_;
  std::unique_ptr<Page> answers_;

  std::vector<std::uint32_t> asked_;
  std::unordered_map<std::string_view, std::size_t> asked_by_id_;  // made when it is needed
  std::size_t next_ = 0;                                           // those before it have an answer
  std::size_t answered_ = 0;
  std::size_t named_ = 0;
  std::optional<std::size_t> suspect_;
};

}  // namespace tranche
