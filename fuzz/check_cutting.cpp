#include <fmt/format.h>

#include "base/digest.h"
#include "checks.h"
#include "csv_case.h"
#include "formats/csv_cursor.h"
#include "formats/csv_head.h"
#include "formats/csv_reference.h"
#include "memory_file.h"

namespace tranche {
namespace {

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t window_bytes = 1;
  std::size_t block_records = 1;
  std::size_t first_line = 1;
};

class CuttingCheck {
 public:
  explicit CuttingCheck(const CsvCase& made)
      : case_(made),
        reference_(made.text, made.dialect, made.empty_line_is_record),
        whole_(reference_.records()) {
    file_.set(made.text);
  }

  std::string check() {
    const std::size_t bytes = case_.text.size();
    const auto found = return_ends_first_line(file_.open(), bytes, "input", case_.dialect);
    const bool is_text = found || found.error().kind != ErrorKind::config;  // by its first bytes
    if (is_text && (!found || *found != ReferenceCsv::return_ends_first_line(case_.text,
                                                                             case_.dialect))) {
      return found ? "the first line ends otherwise" : found.error().message;
    }
    for (const std::size_t window : {case_.window_bytes, std::size_t{4096}}) {
      const Range all{0, bytes, window, case_.block_records, 1};
      std::string wrong = compare(all, whole_.size());
      if (wrong.empty()) wrong = compare_passes(all);
      if (!wrong.empty()) return wrong;
    }
    for (std::size_t cut = 1; cut < whole_.size(); ++cut) {
      const std::size_t at = whole_[cut - 1].next;
      std::string wrong = compare({0, at, case_.window_bytes, case_.block_records, 1}, cut);
      if (wrong.empty()) {
        wrong = compare(
            {at, bytes, case_.window_bytes, case_.block_records, whole_[cut - 1].line_behind},
            whole_.size() - cut);
      }
      if (!wrong.empty()) return fmt::format("cut at {}: {}", at, wrong);
    }
    return {};
  }

 private:
  CsvCursor::Use use_of(const Range& range) const {
    CsvCursor::Use use;
    use.begin = range.begin;
    use.end = range.end;
    use.window_bytes = range.window_bytes;
    use.block_records = range.block_records;
    return use;
  }

  // Whether those who only cut go over the same records, as far as their limits let them.
  std::string compare_passes(const Range& range) {
    constexpr std::uint64_t endless = ~std::uint64_t{0};
    for (const auto& [records_max, bytes_max] : {std::pair{endless, endless},
                                                 {std::uint64_t{1}, endless},
                                                 {std::uint64_t{5}, endless},
                                                 {endless, std::uint64_t{1}},
                                                 {endless, std::uint64_t{100}}}) {
      std::string wrong = compare_passes(range, {range.begin, bytes_max, records_max});
      if (!wrong.empty()) {
        return fmt::format("passes of {} records, {} bytes: {}", records_max, bytes_max, wrong);
      }
    }
    return {};
  }

  std::string compare_passes(const Range& range, CsvCursor::PassLimits limits) {
    const TextFile file = file_.open();
    CsvCursor cursor(file, "input", case_.dialect, case_.empty_line_is_record,
                     CsvCursor::Find::records, use_of(range));
    std::size_t at = 0;
    while (true) {
      const auto passed = cursor.pass(limits);
      if (!passed) return passed.error().message;
      if (passed->records == 0) break;
      if (passed->records > whole_.size() - at) return fmt::format("too many behind record {}", at);
      for (std::uint64_t i = 1; i < passed->records; ++i) {
        if (limits.reached(i, whole_[at + i - 1].next)) return fmt::format("too far at {}", at);
      }
      at += passed->records;
      const ReferenceRecord& last = whole_[at - 1];
      if (passed->end != last.next) {
        return fmt::format("{} records end at {}, not {}", at, passed->end, last.next);
      }
      if (passed->lines + 1 != last.line_behind) {
        return fmt::format("{} records end in line {}, not {}", at, passed->lines + 1,
                           last.line_behind);
      }
      limits.begin = passed->end;
    }
    return at == whole_.size() ? std::string()
                               : fmt::format("{} records instead of {}", at, whole_.size());
  }

  // Whether the cursor finds in the range what the reference does, `count` records.
  std::string compare(const Range& range, std::size_t count) {
    const auto all = reference_.records_of(range.begin, range.end, range.first_line);
    if (all.size() != count) return "the reference contradicts itself";
    const TextFile file = file_.open();
    Digest digest;
    CsvCursor::Use use = use_of(range);
    use.keep_long_raw = true;
    use.digest = &digest;
    CsvCursor cursor(file, "input", case_.dialect, case_.empty_line_is_record,
                     CsvCursor::Find::records, use);
    std::size_t found = 0;
    while (true) {
      const auto block = cursor.next();
      if (!block) return block.error().message;
      if (block->empty()) break;
      for (const CsvRecord& record : *block) {
        if (found == count) return fmt::format("more than {} records", count);
        std::string wrong = compare(cursor, record, all[found], range.first_line);
        if (!wrong.empty()) {
          return fmt::format("window {}, block {}, record {}: {}", range.window_bytes,
                             range.block_records, found, wrong);
        }
        ++found;
      }
    }
    if (found != count) return fmt::format("{} records instead of {}", found, count);
    const std::string_view bytes =
        std::string_view(case_.text).substr(range.begin, range.end - range.begin);
    if (digest.value() != digest64(bytes)) return "the digest is not that of the bytes";
    return {};
  }

  std::string compare(const CsvCursor& cursor, const CsvRecord& record,
                      const ReferenceRecord& expected, std::size_t lines_before) const {
    const auto differs = [](const char* what, std::uint64_t is, std::uint64_t should) {
      return is == should ? std::string() : fmt::format("{} is {}, not {}", what, is, should);
    };
    std::string wrong;
    const auto same = [&](const char* what, std::uint64_t is, std::uint64_t should) {
      if (wrong.empty()) wrong = differs(what, is, should);
    };
    same("offset", record.offset, expected.offset);
    same("bytes", record.bytes, expected.end - expected.offset);
    same("next", record.next, expected.next);
    same("line", record.line + lines_before, expected.line);
    same("line behind it", record.line + record.lines + lines_before, expected.line_behind);
    same("fault", static_cast<unsigned>(record.fault), static_cast<unsigned>(expected.fault));
    if (record.fault != RecordFault::none) {
      same("fault_at", record.offset + record.fault_at, expected.fault_at);
    }
    if (!wrong.empty()) return wrong;
    const std::string_view raw =
        std::string_view(case_.text).substr(expected.offset, expected.end - expected.offset);
    const std::string_view kept = cursor.block_is_long()
                                      ? std::string_view(cursor.long_raw()).substr(0, raw.size())
                                      : std::string_view(cursor.at(record.offset), raw.size());
    return kept == raw ? std::string() : "its bytes are others";
  }

  const CsvCase& case_;
  const ReferenceCsv reference_;
  const std::vector<ReferenceRecord> whole_;
  MemoryFile file_;
};

}  // namespace

std::string check_cutting(std::string_view input) {
  const CsvCase made = make_csv_case(input);
  for (const FastPath& path : fast_paths) {
    path.choose();
    std::string wrong = CuttingCheck(made).check();
    if (!wrong.empty()) return fmt::format("{}: {}", path.name, wrong);
  }
  return {};
}

}  // namespace tranche
