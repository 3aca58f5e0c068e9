#include "transforms/http_journal.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"

namespace tranche {
namespace {

// Before the bytes of each entry. The files are read by the machine that wrote them.
struct Head {
  std::uint64_t digest = 0;  // of what follows, and of the bytes
  std::uint64_t call = 0;
  std::uint32_t bytes = 0;
  std::uint32_t is_filtered = 0;
};

std::uint64_t digest_of(const Head& head, std::string_view bytes) {
  std::string all(reinterpret_cast<const char*>(&head.call), sizeof head - sizeof head.digest);
  all += bytes;
  return digest64(all);
}

}  // namespace

Result<void> HttpJournal::begin(std::uint64_t first_record) {
  end();
  if (folder_.empty()) return {};
  TRANCHE_TRY(create_folders(folder_));
  const fs::path path = folder_ / fmt::to_string(first_record);
  std::size_t known = 0;
  if (file_exists(path)) {
    TRANCHE_ASSIGN(const std::string bytes, read_file(path));
    known = load(bytes);
    TRANCHE_ASSIGN(file_, File::open_write(path));
  } else {
    TRANCHE_ASSIGN(file_, File::create(path));
  }
  TRANCHE_TRY(file_.truncate(known));
  if (known == 0) unwritten_.assign(reinterpret_cast<const char*>(&logic_), sizeof logic_);
  return {};
}

// How many bytes of them are good.
std::size_t HttpJournal::load(std::string_view bytes) {
  std::size_t at = sizeof logic_;
  if (bytes.size() < at || std::memcmp(bytes.data(), &logic_, at) != 0) return 0;
  while (bytes.size() - at >= sizeof(Head)) {
    Head head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    if (bytes.size() - at - sizeof head < head.bytes) break;
    const std::string_view record = bytes.substr(at + sizeof head, head.bytes);
    if (digest_of(head, record) != head.digest) break;
    entries_[head.call] = Entry{head.is_filtered != 0, std::string(record)};
    at += sizeof head + head.bytes;
  }
  return at;
}

const HttpJournal::Entry* HttpJournal::find(std::uint64_t call) const {
  const auto found = entries_.find(call);
  return found == entries_.end() ? nullptr : &found->second;
}

void HttpJournal::add(std::uint64_t call, const Entry& entry) {
  if (!file_.is_open()) return;
  Head head;
  head.call = call;
  head.bytes = static_cast<std::uint32_t>(entry.record.size());
  head.is_filtered = entry.is_filtered ? 1 : 0;
  head.digest = digest_of(head, entry.record);
  unwritten_.append(reinterpret_cast<const char*>(&head), sizeof head);
  unwritten_ += entry.record;
}

Result<void> HttpJournal::flush() {
  if (unwritten_.empty()) return {};
  return file_.write(std::exchange(unwritten_, {}));
}

void HttpJournal::end() {
  entries_.clear();
  unwritten_.clear();
  file_ = File();
}

}  // namespace tranche
