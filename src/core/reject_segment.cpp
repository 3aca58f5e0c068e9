#include "core/reject_segment.h"

#include <string_view>
#include <utility>

namespace tranche {
namespace {

constexpr std::size_t segment_bytes_max = std::size_t{256} << 10;

// Reads what RejectEncoder wrote; beyond the end everything is 0 or empty, and whole() is false.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) break;
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80U) return value;
    }
    whole_ = false;
    return 0;
  }

  void text(std::string& kept) {
    const std::uint64_t size_and_one = number();
    if (size_and_one == 0) return;  // as before
    if (size_and_one - 1 > bytes_.size() - at_) {
      whole_ = false;
      return;
    }
    kept = bytes_.substr(at_, static_cast<std::size_t>(size_and_one - 1));
    at_ += kept.size();
  }

  bool whole() const { return whole_; }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool whole_ = true;
};

}  // namespace

void RejectEncoder::put(std::uint64_t number) {
  while (number >= 0x80) {
    bytes_ += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  bytes_ += static_cast<char>(number);
}

void RejectEncoder::put_text(const std::string& text, std::string& before) {
  if (text == before) return put(0);
  put(std::uint64_t{text.size()} + 1);
  bytes_ += text;
  before = text;
}

void RejectEncoder::add(const Reject& reject) {
  if (rows_ > 0 && bytes_.size() + reject.raw.size() > segment_bytes_max) close_segment();
  put(reject.record);
  put(reject.line);
  put(reject.offset);
  put(reject.has_position ? 1 : 0);
  put(reject.attempts);
  put(static_cast<std::uint32_t>(reject.signal));
  put_text(reject.source, before_.source);
  put_text(reject.phase, before_.phase);
  put_text(reject.error, before_.error);
  put(std::uint64_t{reject.raw.size()} + 1);
  bytes_ += reject.raw;
  ++rows_;
}

void RejectEncoder::close_segment() {
  bytes_.shrink_to_fit();
  segments_.push_back(Segment::make(std::exchange(bytes_, {}), std::exchange(rows_, 0)));
  before_ = Reject();
}

std::vector<Segment> RejectEncoder::finish() {
  if (rows_ > 0) close_segment();
  return std::exchange(segments_, {});
}

std::vector<Segment> encode_rejects(std::span<const Reject> rejects) {
  RejectEncoder encoder;
  for (const auto& reject : rejects) encoder.add(reject);
  return encoder.finish();
}

Result<std::vector<Reject>> decode_rejects(const Segment& segment) {
  TRANCHE_ASSIGN(const auto bytes, segment.load());
  Decoder decoder(*bytes);
  std::vector<Reject> rejects;
  rejects.reserve(static_cast<std::size_t>(segment.rows));
  Reject reject;
  for (std::uint64_t row = 0; row < segment.rows && decoder.whole(); ++row) {
    reject.record = decoder.number();
    reject.line = decoder.number();
    reject.offset = decoder.number();
    reject.has_position = decoder.number() != 0;
    reject.attempts = static_cast<std::uint32_t>(decoder.number());
    reject.signal = static_cast<int>(decoder.number());
    decoder.text(reject.source);
    decoder.text(reject.phase);
    decoder.text(reject.error);
    decoder.text(reject.raw);
    rejects.push_back(reject);
  }
  if (!decoder.whole() || !decoder.at_end())
    return make_error(ErrorKind::bug, "A segment of rejects is not what was encoded.");
  return rejects;
}

RejectReader::RejectReader(std::vector<RejectRun> runs) {
  places_.reserve(runs.size());
  for (auto& run : runs) {
    places_.emplace_back();
    places_.back().run = std::move(run);
  }
}

Result<const Reject*> RejectReader::head(Place& place) {
  while (place.at == place.rejects.size()) {
    if (place.next_segment == place.run.size()) return static_cast<const Reject*>(nullptr);
    place.at = 0;
    place.rejects.clear();
    TRANCHE_ASSIGN(place.rejects, decode_rejects(place.run[place.next_segment]));
    place.run[place.next_segment++] = Segment();
  }
  return static_cast<const Reject*>(&place.rejects[place.at]);
}

Result<const Reject*> RejectReader::next() {
  if (given_ != nullptr) ++given_->at;
  given_ = nullptr;
  const Reject* lowest = nullptr;
  for (auto& place : places_) {
    TRANCHE_ASSIGN(const Reject* const first, head(place));
    if (first == nullptr || (lowest != nullptr && lowest->record <= first->record)) continue;
    lowest = first;
    given_ = &place;
  }
  return lowest;
}

Result<RejectRun> merge_rejects(std::vector<RejectRun> runs) {
  std::erase_if(runs, [](const RejectRun& run) { return run.empty(); });
  if (runs.empty()) return RejectRun();
  if (runs.size() == 1) return std::move(runs.front());
  RejectReader reader(std::move(runs));
  RejectEncoder encoder;
  while (true) {
    TRANCHE_ASSIGN(const Reject* const reject, reader.next());
    if (reject == nullptr) return encoder.finish();
    encoder.add(*reject);
  }
}

}  // namespace tranche
