// Rows of a page as Arrow arrays, for plugins and for programs that are spoken to in Arrow.
//
// Values that lie alike (numbers but decimals, dates, times, bits of validity) are lent where they
// are; booleans, decimals, texts, uuids and lists are laid out anew, in memory that is kept for the
// next page. Nothing is allocated for a record.
//
// Threads: belongs to one thread. Lifetime: the arrays hold until the next page, and as long as the
// page they are of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/plugin.h>

namespace tranche {

class ArrowExport {
 public:
  ArrowExport();
  ~ArrowExport();
  ArrowExport(const ArrowExport&) = delete;
  ArrowExport& operator=(const ArrowExport&) = delete;

  // These columns of the page as children of a struct array. Errors: failed, where texts of one
  // column take more than 2 GiB.
  Result<const ArrowArray*> make(const Page& page, std::span<const std::size_t> columns);

  // What each buffer of an array of ours holds, in bytes: Arrow's C data interface does not say.
  struct Node;
  const Node& root() const { return *root_; }

 private:
  std::unique_ptr<Node> root_;
};

// An array and the bytes of its buffers; children are Nodes too.
struct ArrowExport::Node {
  ArrowArray array{};
  const void* buffers[3]{};
  std::size_t buffer_bytes[3]{};
  std::vector<std::unique_ptr<Node>> children;
  std::vector<ArrowArray*> pointers;
  std::vector<std::uint8_t> bits;  // of booleans
  std::vector<std::int32_t> offsets;
  std::string bytes;
  std::vector<Int128> wide;          // decimals, and uuids
  std::unique_ptr<Column> gathered;  // elements that lay in another order
  Arena arena;
};

}  // namespace tranche
