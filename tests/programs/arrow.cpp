// A program that answers in Arrow, for tests of `format: arrow`: no library for it need be there.
// Reads id bigint and text varchar, and answers `score`, the id halved, with what the text says:
//
//   none    it is filtered        many    it becomes two rows      error   it is rejected
//   crash   the program aborts    lose    its batch is not answered
//
//   arrow ids | plain    with a column _id, or without
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "formats/arrow_stream.h"

namespace {

using namespace tranche;

SchemaPtr columns(std::vector<Field> fields) {
  return std::make_shared<const Schema>(Schema{std::move(fields)});
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(1, bytes.data(), bytes.size());
    if (written <= 0) std::exit(1);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

class Answerer {
 public:
  explicit Answerer(bool names)
      : names_(names),
        output_(names ? columns({{"_id", {TypeId::varchar}},
                                 {"score", {TypeId::double_}},
                                 {"_error", {TypeId::varchar}}})
                      : columns({{"score", {TypeId::double_}}})) {
    write_all(arrow_schema_message(*output_));
  }

  void answer(const ArrowSchema& schema, const std::shared_ptr<const ArrowHolder>& batch) {
    std::vector<ArrowFault> faults;
    const auto page = import_arrow(schema, batch, input_, faults);
    if (!page) std::exit(2);
    Page made(output_, 2 * (*page)->rows() + 1);
    for (std::size_t row = 0; row < (*page)->rows(); ++row)
      if (!add(**page, row, made)) return;
    std::vector<std::size_t> all(made.column_count());
    std::iota(all.begin(), all.end(), 0);
    if (!export_.make(made, all)) std::exit(2);
    std::string bytes;
    append_arrow_batch(bytes, export_.root());
    write_all(bytes);
  }

 private:
  bool add(const Page& page, std::size_t row, Page& made) {
    const auto text = page.column(2).values<StringRef>()[row].view();
    if (text == "crash") std::abort();
    if (text == "lose") return false;
    const int times = text == "none" ? 0 : text == "many" ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      const std::size_t to = made.rows();
      const auto half = static_cast<double>(page.column(1).values<std::int64_t>()[row]) / 2;
      made.column(names_ ? 1 : 0).values<double>()[to] = half;
      made.set_rows(to + 1);
      if (!names_) continue;
      copy_value(made.column(0), to, page.column(0), row, made.arena);
      made.column(2).set_null(to);
      if (text == "error") {
        made.column(2).set_valid(to);
        made.column(2).values<StringRef>()[to] = StringRef::make("it says so");
      }
    }
    return true;
  }

  bool names_;
  SchemaPtr input_ =
      columns({{"_id", {TypeId::varchar}}, {"id", {TypeId::bigint}}, {"text", {TypeId::varchar}}});
  SchemaPtr output_;
  ArrowExport export_;
};

}  // namespace

int main(int argc, char** argv) {
  Answerer answerer(argc > 1 && std::strcmp(argv[1], "ids") == 0);
  ArrowStreamReader reader;
  std::string heard;
  std::vector<char> room(1 << 16);
  for (;;) {
    const ssize_t count = ::read(0, room.data(), room.size());
    if (count <= 0) return 0;
    heard.append(room.data(), static_cast<std::size_t>(count));
    for (;;) {
      const auto bytes = ArrowStreamReader::message_bytes(heard);
      if (!bytes) return 2;
      if (*bytes == 0) break;
      const auto kind = reader.take(std::string_view(heard).substr(0, *bytes));
      if (!kind) return 2;
      if (*kind == ArrowStreamReader::Kind::batch) answerer.answer(reader.schema(), reader.batch());
      heard.erase(0, *bytes);
    }
  }
}
