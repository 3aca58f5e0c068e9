#include "report/writers.h"

namespace tranche::reporting {
namespace {

constexpr std::size_t buffer_bytes = 256U << 10;

}  // namespace

Result<void> TextFile::flush_when_full() {
  if (text_.size() < buffer_bytes) return {};
  TRANCHE_TRY(file_.write(text_));
  text_.clear();
  return {};
}

Result<void> TextFile::close() {
  TRANCHE_TRY(file_.write(text_));
  text_.clear();
  return file_.close();
}

}  // namespace tranche::reporting
