#include "formats/arrow_stream.h"

#include <array>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "formats/arrow_types.h"
#include "formats/flat_buffers.h"

namespace tranche {

// One column of a stream, as it says itself.
struct ArrowStreamReader::Field {
  ArrowSchema arrow{};
  std::string name;
  std::string format;
  bool is_dictionary = false;
  std::vector<std::unique_ptr<Field>> children;
  std::vector<ArrowSchema*> pointers;
  ArrowSchema dictionary{};  // only that there is one
};

namespace {

using Field = ArrowStreamReader::Field;
using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

constexpr std::uint32_t continuation = 0xFFFFFFFF;
constexpr std::size_t prefix_bytes = 8;
constexpr std::size_t metadata_bytes_max = std::size_t{16} << 20;
constexpr std::int64_t body_bytes_max = std::int64_t{2} << 30;
constexpr std::size_t body_alignment = 64;
constexpr std::size_t fields_max = 10'000;
constexpr std::int64_t rows_max = std::int64_t{1} << 24;  // where no buffer bounds them
constexpr std::int16_t version_5 = 4;
constexpr std::int16_t version_4 = 3;

// Message.fbs: MessageHeader.
enum Header : std::int64_t { header_schema = 1, header_dictionary = 2, header_batch = 3 };

// Schema.fbs: Type.
enum TypeTable : std::uint8_t {
  type_null = 1,
  type_int = 2,
  type_floating = 3,
  type_binary = 4,
  type_utf8 = 5,
  type_bool = 6,
  type_decimal = 7,
  type_date = 8,
  type_time = 9,
  type_timestamp = 10,
  type_list = 12,
  type_struct = 13,
  type_fixed_binary = 15,
  type_large_binary = 19,
  type_large_utf8 = 20,
  type_large_list = 21,
};

Error wrong(std::string what) { return make_error(ErrorKind::failed, std::move(what)); }

std::string framed(std::string metadata, std::string_view body = {}) {
  while ((metadata.size() + prefix_bytes) % 8 != 0) metadata += '\0';
  const std::uint32_t words[2] = {continuation, static_cast<std::uint32_t>(metadata.size())};
  std::string out(reinterpret_cast<const char*>(words), sizeof words);
  out += metadata;
  out += body;
  return out;
}

// Begins a message; gives the place of its header.
FlatWriter::Place begin_message(FlatWriter& writer, Header header, std::int64_t body_bytes) {
  const std::array fields{FlatField{0, 2, version_5}, FlatField{1, 1, header}, FlatField{2, 0},
                          FlatField{3, 8, body_bytes}};
  return writer.table(FlatWriter::root, fields).front();
}

// --- Schemas, written

TypeTable type_table(const ArrowLayout& layout) {
  using Kind = ArrowLayout::Kind;
  switch (layout.kind) {
    case Kind::boolean:
      return type_bool;
    case Kind::integer:
      return type_int;
    case Kind::floating:
      return type_floating;
    case Kind::decimal:
      return type_decimal;
    case Kind::date:
      return type_date;
    case Kind::time:
      return type_time;
    case Kind::timestamp:
      return type_timestamp;
    case Kind::text:
      return type_utf8;
    case Kind::bytes:
      return type_binary;
    case Kind::fixed_bytes:
      return type_fixed_binary;
    case Kind::list:
      return type_list;
    case Kind::structure:
      return type_struct;
    default:
      return type_null;
  }
}

// What the type's own table says.
void write_type(FlatWriter& writer, FlatWriter::Place to, const ArrowLayout& layout) {
  constexpr std::int64_t microseconds = 2;
  std::vector<FlatField> fields;
  switch (type_table(layout)) {
    case type_int:
      fields = {{0, 4, layout.bits}, {1, 1, layout.is_signed ? 1 : 0}};
      break;
    case type_floating:
      fields = {{0, 2, layout.bits == 32 ? 1 : 2}};
      break;
    case type_decimal:
      fields = {{0, 4, layout.width}, {1, 4, layout.scale}, {2, 4, layout.bits}};
      break;
    case type_date:
      fields = {{0, 2, 0}};
      break;
    case type_time:
      fields = {{0, 2, microseconds}, {1, 4, 64}};
      break;
    case type_timestamp:
      fields = {{0, 2, microseconds}};
      if (layout.has_zone) fields.push_back({1, 0});
      break;
    case type_fixed_binary:
      fields = {{0, 4, layout.width}};
      break;
    default:
      break;
  }
  const auto places = writer.table(to, fields);
  if (!places.empty()) writer.text(places.front(), "UTC");
}

void write_field(FlatWriter& writer, FlatWriter::Place to, std::string_view name, Type type,
                 bool required) {
  const ArrowLayout layout = arrow_layout(arrow_format(type));
  const std::string_view extension = arrow_extension(type);
  std::vector<FlatField> fields{
      {0, 0}, {1, 1, required ? 0 : 1}, {2, 1, type_table(layout)}, {3, 0}, {5, 0}};
  if (!extension.empty()) fields.push_back({6, 0});
  const auto places = writer.table(to, fields);
  writer.text(places[0], name);
  write_type(writer, places[1], layout);
  const std::size_t members = type.members == nullptr ? 0 : type.members->size();
  const auto children = writer.references(places[2], members);
  for (std::size_t i = 0; i < members; ++i) {
    const TypeMember& member = (*type.members)[i];
    write_field(writer, children[i], type.id == TypeId::list ? "item" : member.name, member.type,
                false);
  }
  if (extension.empty()) return;
  const auto pairs = writer.references(places[3], 2);
  const auto say = [&](FlatWriter::Place pair, std::string_view key, std::string_view value) {
    const std::array both{FlatField{0, 0}, FlatField{1, 0}};
    const auto texts = writer.table(pair, both);
    writer.text(texts[0], key);
    writer.text(texts[1], value);
  };
  say(pairs[0], "ARROW:extension:name", extension);
  say(pairs[1], "ARROW:extension:metadata", "");
}

// --- Batches, written

void collect(const ArrowExport::Node& node, Pairs& nodes, Pairs& buffers, std::string& body) {
  nodes.emplace_back(node.array.length, node.array.null_count);
  for (std::int64_t i = 0; i < node.array.n_buffers; ++i) {
    const std::size_t bytes = node.buffer_bytes[i];
    buffers.emplace_back(static_cast<std::int64_t>(body.size()), static_cast<std::int64_t>(bytes));
    if (bytes > 0) body.append(static_cast<const char*>(node.buffers[i]), bytes);
    body.resize((body.size() + body_alignment - 1) / body_alignment * body_alignment, '\0');
  }
  for (const auto& child : node.children) collect(*child, nodes, buffers, body);
}

// --- Schemas, read

char unit_letter(std::int16_t unit) {
  constexpr std::string_view letters = "smun";
  return unit >= 0 && unit < 4 ? letters[static_cast<std::size_t>(unit)] : '?';
}

std::string integer_format(const FlatTable& type) {
  const auto bits = type.number<std::int32_t>(0);
  const bool is_signed = type.number<std::uint8_t>(1) != 0;
  const std::string_view letters = is_signed ? "csil" : "CSIL";
  for (std::size_t i = 0; i < letters.size(); ++i)
    if (bits == 8 << i) return std::string(1, letters[i]);
  return {};
}

std::string read_format(std::uint8_t kind, const FlatTable& type) {
  switch (kind) {
    case type_null:
      return "n";
    case type_int:
      return integer_format(type);
    case type_floating: {
      const auto precision = type.number<std::int16_t>(0);
      return precision == 1 ? "f" : precision == 2 ? "g" : "e";
    }
    case type_binary:
      return "z";
    case type_utf8:
      return "u";
    case type_bool:
      return "b";
    case type_decimal:
      return fmt::format("d:{},{},{}", type.number<std::int32_t>(0), type.number<std::int32_t>(1),
                         type.number<std::int32_t>(2, 128));
    case type_date:
      return type.number<std::int16_t>(0, 1) == 0 ? "tdD" : "tdm";
    case type_time:
      return fmt::format("tt{}", unit_letter(type.number<std::int16_t>(0, 1)));
    case type_timestamp:
      return fmt::format("ts{}:{}", unit_letter(type.number<std::int16_t>(0)), type.text(1));
    case type_list:
      return "+l";
    case type_struct:
      return "+s";
    case type_fixed_binary:
      return fmt::format("w:{}", type.number<std::int32_t>(0));
    case type_large_binary:
      return "Z";
    case type_large_utf8:
      return "U";
    case type_large_list:
      return "+L";
    default:
      return fmt::format("type {}", kind);
  }
}

// `left`: so many more fields may come; a broken schema may name one again and again.
Result<void> read_children(Field& field, const std::vector<FlatTable>& tables, std::size_t depth,
                           std::size_t& left) {
  if (depth > type_depth_max || tables.size() > left)
    return wrong("a schema with too many columns, or types that lie too deep in each other");
  left -= tables.size();
  for (const FlatTable& table : tables) {
    auto child = std::make_unique<Field>();
    child->name = table.text(0);
    child->format = read_format(table.number<std::uint8_t>(2), table.table(3));
    child->is_dictionary = static_cast<bool>(table.table(4));
    TRANCHE_TRY(read_children(*child, table.tables(5), depth + 1, left));
    field.children.push_back(std::move(child));
  }
  for (const auto& child : field.children) field.pointers.push_back(&child->arrow);
  field.arrow.name = field.name.c_str();
  field.arrow.format = field.format.c_str();
  field.arrow.n_children = static_cast<std::int64_t>(field.pointers.size());
  field.arrow.children = field.pointers.data();
  field.arrow.dictionary = field.is_dictionary ? &field.dictionary : nullptr;
  return {};
}

// --- Batches, read

// Arrays over one copy of a body, which lies as arrays must.
struct Batch {
  struct Node {
    ArrowArray array{};
    const void* buffers[3]{};
    std::vector<std::unique_ptr<Node>> children;
    std::vector<ArrowArray*> pointers;
  };
  Node root;
  std::unique_ptr<char[]> memory;
  std::string_view body;

  explicit Batch(std::string_view of) : memory(new char[of.size() + body_alignment]) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
    char* const begin = memory.get() + (body_alignment - address % body_alignment);
    if (!of.empty()) std::memcpy(begin, of.data(), of.size());
    body = {begin, of.size()};
  }
};

class BatchReader {
 public:
  BatchReader(Batch& batch, Pairs nodes, Pairs buffers)
      : batch_(batch), nodes_(std::move(nodes)), buffers_(std::move(buffers)) {}

  Result<void> read(const Field& field, Batch::Node& node) {
    const ArrowLayout layout = arrow_layout(field.format);
    if (layout.kind == ArrowLayout::Kind::unknown || field.is_dictionary) {
      return wrong(fmt::format(
          "a column \"{}\" {}", field.name,
          field.is_dictionary ? "that is a dictionary" : describe_layout(layout, field.format)));
    }
    if (next_node_ == nodes_.size()) return wrong("a batch with fewer columns than its schema");
    const auto [length, nulls] = nodes_[next_node_++];
    const bool is_bounded =
        layout.kind != ArrowLayout::Kind::null && layout.kind != ArrowLayout::Kind::structure;
    if (length < 0 || nulls < 0 || nulls > length || (!is_bounded && length > rows_max))
      return wrong("a batch with an impossible number of rows");
    node.array.length = length;
    node.array.null_count = nulls;
    node.array.buffers = node.buffers;
    TRANCHE_TRY(read_buffers(layout, node));
    for (const auto& child : field.children) {
      node.children.push_back(std::make_unique<Batch::Node>());
      TRANCHE_TRY(read(*child, *node.children.back()));
    }
    for (const auto& child : node.children) node.pointers.push_back(&child->array);
    node.array.n_children = static_cast<std::int64_t>(node.pointers.size());
    node.array.children = node.pointers.data();
    return {};
  }

 private:
  Result<std::string_view> next_buffer() {
    if (next_buffer_ == buffers_.size()) return wrong("a batch with too few buffers");
    const auto [offset, bytes] = buffers_[next_buffer_++];
    const auto size = static_cast<std::int64_t>(batch_.body.size());
    if (offset < 0 || bytes < 0 || offset > size || bytes > size - offset || offset % 8 != 0)
      return wrong("a buffer that is not in its batch");
    return batch_.body.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
  }

  Result<void> read_buffers(const ArrowLayout& layout, Batch::Node& node) {
    using Kind = ArrowLayout::Kind;
    if (layout.kind == Kind::null) return {};
    const auto rows = static_cast<std::uint64_t>(node.array.length);
    TRANCHE_ASSIGN(const std::string_view validity, next_buffer());
    if (node.array.null_count > 0 && validity.size() < (rows + 7) / 8) return too_short();
    node.buffers[0] = node.array.null_count > 0 ? validity.data() : nullptr;
    node.array.n_buffers = 1;
    if (layout.kind == Kind::structure) return {};
    TRANCHE_ASSIGN(const std::string_view values, next_buffer());
    node.buffers[1] = values.data();
    node.array.n_buffers = 2;
    const bool has_offsets =
        layout.kind == Kind::text || layout.kind == Kind::bytes || layout.kind == Kind::list;
    if (!has_offsets) {
      if (values.size() < value_bytes(layout, rows)) return too_short();
      return {};
    }
    std::string_view data;
    if (layout.kind != Kind::list) {
      TRANCHE_ASSIGN(data, next_buffer());
      node.buffers[2] = data.data();
      node.array.n_buffers = 3;
    }
    if (rows == 0) return {};
    const bool is_list = layout.kind == Kind::list;  // whose elements are judged by who takes them
    const auto end = is_list ? INT64_MAX : static_cast<std::int64_t>(data.size());
    return layout.bits == 64 ? check_offsets<std::int64_t>(values, rows, end)
                             : check_offsets<std::int32_t>(values, rows, end);
  }

  static Error too_short() { return wrong("a buffer that is too short for its rows"); }

  static std::uint64_t value_bytes(const ArrowLayout& layout, std::uint64_t rows) {
    if (layout.kind == ArrowLayout::Kind::boolean) return (rows + 7) / 8;
    if (layout.kind == ArrowLayout::Kind::fixed_bytes) return rows * layout.width;
    return rows * (layout.bits / 8);
  }

  template <class Offset>
  static Result<void> check_offsets(std::string_view values, std::uint64_t rows, std::int64_t end) {
    if (values.size() / sizeof(Offset) <= rows) return too_short();
    const auto* const offsets = reinterpret_cast<const Offset*>(values.data());
    if (offsets[0] < 0 || offsets[rows] > end) return wrong("offsets beyond their bytes");
    for (std::uint64_t row = 0; row < rows; ++row)
      if (offsets[row + 1] < offsets[row]) return wrong("offsets that go back");
    return {};
  }

  Batch& batch_;
  Pairs nodes_;
  Pairs buffers_;
  std::size_t next_node_ = 0;
  std::size_t next_buffer_ = 0;
};

void release_batch(ArrowArray* array) {
  delete static_cast<Batch*>(array->private_data);
  array->release = nullptr;
}

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

}  // namespace

std::string arrow_schema_message(const Schema& schema) {
  FlatWriter writer;
  const FlatWriter::Place header = begin_message(writer, header_schema, 0);
  const std::array fields{FlatField{1, 0}};
  const auto places = writer.table(header, fields);
  const auto columns = writer.references(places.front(), schema.fields.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const tranche::Field& field = schema.fields[i];
    write_field(writer, columns[i], field.name, field.type, field.required);
  }
  return framed(writer.take());
}

void append_arrow_batch(std::string& out, const ArrowExport::Node& root) {
  Pairs nodes;
  Pairs buffers;
  std::string body;
  for (const auto& child : root.children) collect(*child, nodes, buffers, body);
  FlatWriter writer;
  const FlatWriter::Place header =
      begin_message(writer, header_batch, static_cast<std::int64_t>(body.size()));
  const std::array fields{FlatField{0, 8, root.array.length}, FlatField{1, 0}, FlatField{2, 0}};
  const auto places = writer.table(header, fields);
  writer.pairs(places[0], nodes);
  writer.pairs(places[1], buffers);
  out += framed(writer.take(), body);
}

const ArrowSchema& ArrowStreamReader::schema() const { return schema_->arrow; }

Result<std::size_t> ArrowStreamReader::message_bytes(std::string_view heard) {
  if (heard.size() < prefix_bytes) return std::size_t{0};
  if (word_at(heard, 0) != continuation) return wrong("something that is no stream of Arrow");
  const std::size_t metadata_bytes = word_at(heard, 4);
  if (metadata_bytes == 0) return prefix_bytes;
  if (metadata_bytes > metadata_bytes_max) return wrong("a message of an impossible size");
  if (heard.size() < prefix_bytes + metadata_bytes) return std::size_t{0};
  const FlatTable message = FlatTable::root_of(heard.substr(prefix_bytes, metadata_bytes));
  const auto body_bytes = message.number<std::int64_t>(3);
  if (!message || body_bytes < 0 || body_bytes > body_bytes_max)
    return wrong("a message of an impossible size");
  const std::size_t all = prefix_bytes + metadata_bytes + static_cast<std::size_t>(body_bytes);
  return heard.size() < all ? std::size_t{0} : all;
}

Result<ArrowStreamReader::Kind> ArrowStreamReader::take(std::string_view message) {
  const std::size_t metadata_bytes = word_at(message, 4);
  if (metadata_bytes == 0) return Kind::end;
  const std::string_view metadata = message.substr(prefix_bytes, metadata_bytes);
  const FlatTable root = FlatTable::root_of(metadata);
  const auto version = root.number<std::int16_t>(0);
  if (version != version_5 && version != version_4)
    return wrong("a message of a version of Arrow before 0.8");
  switch (root.number<std::uint8_t>(1)) {
    case header_schema:
      TRANCHE_TRY(take_schema(metadata));
      return Kind::schema;
    case header_batch:
      TRANCHE_TRY(take_batch(metadata, message.substr(prefix_bytes + metadata_bytes)));
      return Kind::batch;
    case header_dictionary:
      return wrong("a dictionary; write its values themselves");
    default:
      return wrong("a message that is neither a schema nor a batch");
  }
}

Result<void> ArrowStreamReader::take_schema(std::string_view metadata) {
  const FlatTable table = FlatTable::root_of(metadata).table(2);
  if (table.number<std::int16_t>(0) != 0) return wrong("values in big-endian order");
  auto schema = std::make_shared<Field>();
  schema->format = "+s";
  std::size_t left = fields_max;
  TRANCHE_TRY(read_children(*schema, table.tables(1), 0, left));
  schema_ = std::move(schema);
  return {};
}

Result<void> ArrowStreamReader::take_batch(std::string_view metadata, std::string_view body) {
  if (!schema_) return wrong("a batch before any schema");
  const FlatTable table = FlatTable::root_of(metadata).table(2);
  if (table.table(3)) return wrong("a compressed batch; write it without compression");
  auto batch = std::make_unique<Batch>(body);
  BatchReader reader(*batch, table.pairs(1), table.pairs(2));
  Batch::Node& root = batch->root;
  root.array.length = table.number<std::int64_t>(0);
  if (root.array.length < 0 || root.array.length > rows_max)
    return wrong("a batch with an impossible number of rows");
  for (const auto& column : schema_->children) {
    root.children.push_back(std::make_unique<Batch::Node>());
    TRANCHE_TRY(reader.read(*column, *root.children.back()));
    root.pointers.push_back(&root.children.back()->array);
  }
  root.array.n_children = static_cast<std::int64_t>(root.pointers.size());
  root.array.children = root.pointers.data();
  root.array.n_buffers = 1;
  root.array.buffers = root.buffers;
  root.array.private_data = batch.get();
  root.array.release = release_batch;
  ArrowArray array = root.array;
  static_cast<void>(batch.release());
  batch_ = std::make_shared<const ArrowHolder>(array);
  return {};
}

}  // namespace tranche
