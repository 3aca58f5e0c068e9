#include "connectors/bad_file.h"

#include <fmt/format.h>

#include "base/digest.h"

namespace tranche {
namespace {

// Behind what the source itself keeps in the range.
constexpr std::string_view mark = "\nbad_file: ";

class BadFileReader final : public Reader {
 public:
  BadFileReader(std::string name, const Slice& slice, std::string error)
      : name_(std::move(name)), record_(slice.first_record), error_(std::move(error)) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
    if (!std::exchange(ended_, true)) {
      Reject reject("The file can't be read: " + error_);
      reject.record = record_;
      reject.source = name_;
      reject.has_position = true;
      reject.phase = "read";
      rejects.push_back(std::move(reject));
    }
    return std::unique_ptr<Page>();
  }
  std::uint64_t bytes_read() const override { return 0; }

 private:
  const std::string name_;
  const std::uint64_t record_;
  const std::string error_;
  bool ended_ = false;
};

}  // namespace

Option bad_file_option() {
  return {.name = "bad_file", .kind = OptionKind::choice,
          .doc = "reject: a file that can't be read at all (another header, no such format, cut "
                 "off) is one reject that names it; else it stops the run before its start.",
          .default_text = "fail", .choices = {"fail", "reject"}};
}

Option empty_option() {
  return {.name = "empty", .kind = OptionKind::choice,
          .doc = "fail: a file without a record is an error before the start.",
          .default_text = "ok", .choices = {"ok", "fail"}};
}

Error empty_file_error(const std::string& name) {
  return make_error(ErrorKind::config,
                    fmt::format("{} has no records, and `empty: fail` is set.", name), name);
}

Slice bad_file_slice(std::size_t input, const Input& file, std::uint64_t first_record,
                     const std::string& error, const std::string& state) {
  Slice slice;
  slice.input = static_cast<std::uint32_t>(input);
  slice.records = 1;
  slice.first_record = first_record;
  slice.memory_bytes = error.size();
  slice.file_bytes = file.bytes;
  slice.range = fmt::format("{}{}{}", state, mark, error);
  slice.digest = digest64(error);
  return slice;
}

std::optional<std::string> bad_file_of(const Slice& slice) {
  const std::size_t at = slice.range.find(mark);
  if (at == std::string::npos) return std::nullopt;
  return slice.range.substr(at + mark.size());
}

std::unique_ptr<Reader> bad_file_reader(const std::string& name, const Slice& slice) {
  return std::make_unique<BadFileReader>(name, slice, bad_file_of(slice).value_or(std::string()));
}

}  // namespace tranche
