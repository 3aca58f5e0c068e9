#include "connectors/frame_encoder.h"

#include <numeric>
#include <utility>
#include <vector>

#include "base/fault.h"
#include "connectors/table_commits.h"
#include "formats/page_codec.h"

namespace tranche {
namespace {

class FrameEncoder final : public Encoder {
 public:
  Result<void> add(const Page& page) override {
    if (page.rows() > 0 && fault_drops_record("encode")) {
      std::vector<std::uint32_t> rows(page.rows() - 1);
      std::iota(rows.begin(), rows.end(), std::uint32_t{0});
      append_page_frame(bytes_, page, rows);
      digest_.add(page, rows.size());
      rows_ += rows.size();
      return {};
    }
    if (bytes_.empty()) bytes_.reserve(bytes_last_);
    append_page_frame(bytes_, page);
    digest_.add(page, page.rows());
    rows_ += page.rows();
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
  std::string bytes_;
  RowDigest digest_;
  std::size_t bytes_last_ = 0;  // of the last chunk: the next one will be as large
  std::uint64_t rows_ = 0;      // since it was made
  std::uint64_t rows_finished_ = 0;
};

}  // namespace

std::unique_ptr<Encoder> make_frame_encoder() { return std::make_unique<FrameEncoder>(); }

}  // namespace tranche
