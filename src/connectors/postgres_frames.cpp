#include "connectors/postgres_frames.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/fault.h"
#include "connectors/postgres_shape.h"
#include "connectors/table_commits.h"

namespace tranche::postgres {
namespace {

constexpr std::uint32_t frame_magic = 0x31434750;
constexpr std::size_t header_bytes = 48;
constexpr std::size_t origin_bytes = 20;

template <class T> void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T> T number_at(const char* place) {
  T value;
  std::memcpy(&value, place, sizeof value);
  return value;
}

void append_origin(std::string& out, const Origin& origin) {
  append_number(out, origin.offset);
  append_number(out, origin.bytes);
  append_number(out, origin.line);
  append_number(out, origin.record);
}

Origin origin_at(const char* place) {
  return Origin{.offset = number_at<std::uint64_t>(place),
                .bytes = number_at<std::uint32_t>(place + 8),
                .line = number_at<std::uint32_t>(place + 12),
                .record = number_at<std::uint32_t>(place + 16)};
}

class TupleEncoder final : public Encoder {
 public:
  TupleEncoder(const SchemaPtr& schema, std::vector<PostgresType> types,
               std::span<const std::string> key)
      : tuples_(*schema, std::move(types)) {
    for (std::size_t i = 0; i < schema->fields.size(); ++i) {
      if (contains_name(key, schema->fields[i].name)) tuples_.refuse_nulls_of(i);
    }
  }

  Result<void> add(const Page& page) override {
    const bool is_losing = page.rows() > 0 && fault_drops_record("encode");
    const std::size_t rows = page.rows() - (is_losing ? 1 : 0);
    if (rows == 0) return {};
    if (bytes_.empty()) bytes_.reserve(bytes_last_);
    refused_.clear();
    page_tuples_.clear();
    tuples_.append(page_tuples_, page, rows, refused_);
    append_frame(page, rows);
    digest_.add(page, rows, refused_);
    rows_ += rows;
    return {};
  }

  std::uint64_t rows_encoded() const override { return rows_; }

  Result<std::vector<Segment>> finish() override {
    std::vector<Segment> segments;
    const std::uint64_t rows = rows_ - rows_finished_;
    bytes_last_ = bytes_.size();
    if (rows > 0) segments.push_back(make_row_segment(std::move(bytes_), rows, digest_));
    bytes_ = std::string();
    rows_finished_ = rows_;
    return segments;
  }

 private:
  void append_frame(const Page& page, std::size_t rows) {
    const std::size_t begin = bytes_.size();
    append_number(bytes_, std::uint64_t{0});
    append_number(bytes_, frame_magic);
    append_number(bytes_, std::uint32_t{page.origins.empty() ? 0U : 1U});
    append_number(bytes_, static_cast<std::uint32_t>(rows - refused_.size()));
    append_number(bytes_, static_cast<std::uint32_t>(refused_.size()));
    append_number(bytes_, page.base.line);
    append_number(bytes_, page.base.record);
    append_number(bytes_, std::uint64_t{page.base.source ? page.base.source->size() + 1 : 0});
    if (page.base.source) bytes_ += *page.base.source;
    append_origins(page, rows);
    for (const std::uint32_t row : refused_) {
      append_origin(bytes_, page.origins.empty() ? Origin{} : page.origins[row]);
      const std::string why = tuples_.refusal(page, row);
      const std::string raw = row_as_json(page, row);
      append_number(bytes_, static_cast<std::uint32_t>(why.size()));
      append_number(bytes_, static_cast<std::uint32_t>(raw.size()));
      bytes_ += why;
      bytes_ += raw;
    }
    bytes_ += page_tuples_;
    const std::uint64_t frame_bytes = bytes_.size() - begin;
    std::memcpy(bytes_.data() + begin, &frame_bytes, sizeof frame_bytes);
  }
  void append_origins(const Page& page, std::size_t rows) {
    if (page.origins.empty()) return;
    auto refused = refused_.begin();
    for (std::size_t row = 0; row < rows; ++row) {
      if (refused != refused_.end() && *refused == row)
        ++refused;
      else
        append_origin(bytes_, page.origins[row]);
    }
  }

  PostgresTupleEncoder tuples_;
  std::string page_tuples_;
  std::vector<std::uint32_t> refused_;  // of the page
  std::string bytes_;
  RowDigest digest_;
  std::size_t bytes_last_ = 0;  // of the last chunk: the next one will be as large
  std::uint64_t rows_ = 0;      // since it was made
  std::uint64_t rows_finished_ = 0;
};

Error damaged() {
  return make_error(ErrorKind::failed, "The bytes of a segment are not what was encoded.");
}

// Takes one frame off the front; false: it is none.
bool take_frame(std::string_view& bytes, SegmentRows::Frame& frame) {
  if (bytes.size() < header_bytes) return false;
  const char* const begin = bytes.data();
  const auto frame_bytes = number_at<std::uint64_t>(begin);
  if (frame_bytes < header_bytes || frame_bytes > bytes.size()) return false;
  if (number_at<std::uint32_t>(begin + 8) != frame_magic) return false;
  frame.has_origins = number_at<std::uint32_t>(begin + 12) != 0;
  frame.rows = number_at<std::uint32_t>(begin + 16);
  frame.refused_rows = number_at<std::uint32_t>(begin + 20);
  frame.base_line = number_at<std::uint64_t>(begin + 24);
  frame.base_record = number_at<std::uint64_t>(begin + 32);
  const auto source = number_at<std::uint64_t>(begin + 40);
  std::string_view rest = bytes.substr(header_bytes, frame_bytes - header_bytes);
  const std::size_t origins = frame.has_origins ? frame.rows * origin_bytes : 0;
  if (rest.size() < source + origins) return false;
  if (source > 0) {
    frame.source = std::make_shared<const std::string>(rest.substr(0, source - 1));
    rest.remove_prefix(source - 1);
  }
  frame.origins = rest.substr(0, origins);
  rest.remove_prefix(origins);
  const char* const refused = rest.data();
  for (std::size_t i = 0; i < frame.refused_rows; ++i) {
    if (rest.size() < origin_bytes + 8) return false;
    const std::size_t texts = std::size_t{number_at<std::uint32_t>(rest.data() + origin_bytes)} +
                              number_at<std::uint32_t>(rest.data() + origin_bytes + 4);
    if (rest.size() < origin_bytes + 8 + texts) return false;
    rest.remove_prefix(origin_bytes + 8 + texts);
  }
  frame.refused = {refused, static_cast<std::size_t>(rest.data() - refused)};
  frame.tuples = rest;
  bytes.remove_prefix(frame_bytes);
  return true;
}

// A page of one row of nulls, with the row's place in its source.
Page page_of(const SegmentRows::Frame& frame, const SchemaPtr& schema, const char* origin) {
  Page page(schema, 1);
  page.set_rows(1);
  page.base.source = frame.source;
  page.base.line = frame.base_line;
  page.base.record = frame.base_record;
  for (std::size_t i = 0; i < page.column_count(); ++i) page.column(i).set_null(0);
  if (frame.has_origins) page.origins.push_back(origin_at(origin));
  return page;
}

}  // namespace

std::unique_ptr<Encoder> make_encoder(const SchemaPtr& schema, std::vector<PostgresType> types,
                                      std::span<const std::string> key) {
  return std::make_unique<TupleEncoder>(schema, std::move(types), key);
}

Result<SegmentRows> SegmentRows::open(const Segment& segment) {
  SegmentRows rows;
  TRANCHE_ASSIGN(rows.bytes_, segment.load());
  std::string_view left = *rows.bytes_;
  while (!left.empty()) {
    Frame frame;
    if (!take_frame(left, frame)) return damaged();
    frame.first_row = rows.rows_;
    rows.rows_ += frame.rows;
    rows.frames_.push_back(std::move(frame));
  }
  return rows;
}

void SegmentRows::index_rows() {
  places_.reserve(rows_ + 1);
  for (const Frame& frame : frames_) {
    std::string_view left = frame.tuples;
    for (std::size_t row = 0; row < frame.rows; ++row) {
      places_.push_back(left.data());
      left.remove_prefix(postgres_tuple_bytes(left));
    }
  }
}

const SegmentRows::Frame& SegmentRows::frame_of(std::size_t row) const {
  const auto behind =
      std::upper_bound(frames_.begin(), frames_.end(), row,
                       [](std::size_t one, const Frame& frame) { return one < frame.first_row; });
  return *std::prev(behind);
}

std::vector<std::string_view> SegmentRows::tuples(std::size_t begin, std::size_t end) {
  if (places_.empty()) index_rows();
  std::vector<std::string_view> pieces;
  while (begin < end) {
    const Frame& frame = frame_of(begin);
    const std::size_t frame_end = frame.first_row + frame.rows;
    const std::size_t last = std::min(end, frame_end);
    const char* const piece_end =
        last == frame_end ? frame.tuples.data() + frame.tuples.size() : places_[last];
    pieces.emplace_back(places_[begin], static_cast<std::size_t>(piece_end - places_[begin]));
    begin = last;
  }
  return pieces;
}

Reject SegmentRows::reject(std::size_t row, const SchemaPtr& schema, PostgresTupleReader& reader,
                           std::string error, RowDigest& digest) {
  const Frame& frame = frame_of(row);
  const char* const origin = frame.origins.data() + (row - frame.first_row) * origin_bytes;
  Page page = page_of(frame, schema, origin);
  std::string_view tuple = tuples(row, row + 1)[0];
  const auto read = reader.read(tuple, page, 0);  // what can't be read stays null
  static_cast<void>(read);
  digest.add_row(page, 0);
  return reject_row(page, 0, "write", std::move(error));
}

void SegmentRows::add_refused(const SchemaPtr& schema, std::vector<Reject>& rejects) const {
  for (const Frame& frame : frames_) {
    const char* place = frame.refused.data();
    for (std::size_t i = 0; i < frame.refused_rows; ++i) {
      const auto why = number_at<std::uint32_t>(place + origin_bytes);
      const auto raw = number_at<std::uint32_t>(place + origin_bytes + 4);
      const char* const texts = place + origin_bytes + 8;
      Reject reject = reject_row(page_of(frame, schema, place), 0, "write", {texts, why});
      reject.raw.assign(texts + why, raw);
      rejects.push_back(std::move(reject));
      place = texts + why + raw;
    }
  }
}

SchemaPtr readable_schema(const Schema& schema, const std::vector<PostgresType>& types) {
  Schema readable = schema;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].wire == PostgresWire::array || !is_nested(readable.fields[i].type)) continue;
    readable.fields[i].type = Type{TypeId::json};
  }
  return std::make_shared<const Schema>(std::move(readable));
}

}  // namespace tranche::postgres
