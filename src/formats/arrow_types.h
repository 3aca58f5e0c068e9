// Column types as Arrow writes them: the formats of its C data interface, and trees of ArrowSchema.
//
// Which type is which format stands in docs/plugins.md. Threads: pure functions; an ArrowSchemaTree
// is read by many threads once made. Lifetime: what a tree gives points into it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/schema.h>
#include <tranche/plugin.h>

namespace tranche {

// "l" of a bigint, "d:12,2" of a decimal(12,2), "+l" of a list.
std::string arrow_format(Type type);
// The extension that says more of a type than its format: "arrow.uuid"; empty: none.
std::string_view arrow_extension(Type type);

// A format taken apart, for whoever reads arrays that others have made.
struct ArrowLayout {
  enum class Kind {
    unknown,
    null,
    boolean,
    integer,
    floating,
    decimal,
    date,
    time,
    timestamp,
    text,
    bytes,
    fixed_bytes,
    list,
    structure,
  };
  Kind kind = Kind::unknown;
  unsigned bits = 0;  // of a number, a time or an offset; 0 of text: views
  bool is_signed = true;
  unsigned width = 0;  // of a decimal, or the bytes of fixed_bytes
  int scale = 0;
  std::int64_t per_second = 1;  // of a time or timestamp
  bool has_zone = false;        // of a timestamp
  bool operator==(const ArrowLayout&) const = default;
};
ArrowLayout arrow_layout(std::string_view format);
// "int64", "decimal128(12, 2)": as pyarrow writes it, for people.
std::string describe_layout(const ArrowLayout& layout, std::string_view format);

// The schema of a struct array whose children are columns.
class ArrowSchemaTree {
 public:
  explicit ArrowSchemaTree(const Schema& schema);
  const ArrowSchema& root() const { return root_.schema; }

 private:
  struct Node {
    ArrowSchema schema{};
    std::string name;
    std::string format;
    std::string metadata;
    std::vector<std::unique_ptr<Node>> children;
    std::vector<ArrowSchema*> pointers;
  };
  static void fill(Node& node, std::string_view name, Type type, bool required);
  static void point(Node& node);
  Node root_;
};

}  // namespace tranche
