#include "formats/arrow_types.h"

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

struct TypeFormat {
  TypeId id;
  const char* format;
};
constexpr std::array formats{
    TypeFormat{TypeId::boolean, "b"},      TypeFormat{TypeId::tinyint, "c"},
    TypeFormat{TypeId::smallint, "s"},     TypeFormat{TypeId::integer, "i"},
    TypeFormat{TypeId::bigint, "l"},       TypeFormat{TypeId::hugeint, "d:38,0"},
    TypeFormat{TypeId::utinyint, "C"},     TypeFormat{TypeId::usmallint, "S"},
    TypeFormat{TypeId::uinteger, "I"},     TypeFormat{TypeId::ubigint, "L"},
    TypeFormat{TypeId::real, "f"},         TypeFormat{TypeId::double_, "g"},
    TypeFormat{TypeId::date, "tdD"},       TypeFormat{TypeId::time, "ttu"},
    TypeFormat{TypeId::timestamp, "tsu:"}, TypeFormat{TypeId::timestamptz, "tsu:UTC"},
    TypeFormat{TypeId::varchar, "u"},      TypeFormat{TypeId::blob, "z"},
    TypeFormat{TypeId::uuid, "w:16"},      TypeFormat{TypeId::json, "u"},
    TypeFormat{TypeId::list, "+l"},        TypeFormat{TypeId::struct_, "+s"},
};

void append_counted(std::string& out, std::string_view text) {
  const auto bytes = static_cast<std::int32_t>(text.size());
  char raw[sizeof bytes];
  std::memcpy(raw, &bytes, sizeof bytes);
  out.append(raw, sizeof raw);
  out += text;
}

std::string extension_metadata(Type type) {
  const std::string_view extension = arrow_extension(type);
  if (extension.empty()) return {};
  const std::int32_t pairs = 2;
  std::string out(reinterpret_cast<const char*>(&pairs), sizeof pairs);
  append_counted(out, "ARROW:extension:name");
  append_counted(out, extension);
  append_counted(out, "ARROW:extension:metadata");
  append_counted(out, "");
  return out;
}

int number_at(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty() && text.front() == ',') text.remove_prefix(1);
  return value;
}

std::int64_t units_per_second(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 1'000;
    case 'u':
      return 1'000'000;
    case 'n':
      return 1'000'000'000;
    default:
      return 0;
  }
}

ArrowLayout decimal_layout(std::string_view text) {
  ArrowLayout layout{.kind = ArrowLayout::Kind::decimal, .bits = 128};
  const int width = number_at(text);
  layout.scale = number_at(text);
  if (!text.empty()) layout.bits = static_cast<unsigned>(number_at(text));
  layout.width = static_cast<unsigned>(width);
  const bool is_known = layout.bits == 32 || layout.bits == 64 || layout.bits == 128;
  return width > 0 && is_known ? layout : ArrowLayout{};
}

ArrowLayout time_layout(std::string_view format) {
  using Kind = ArrowLayout::Kind;
  if (format == "tdD") return {.kind = Kind::date, .bits = 32};
  if (format.size() < 3) return {};
  ArrowLayout layout{.bits = 64, .per_second = units_per_second(format[2])};
  if (layout.per_second == 0) return {};
  if (format[1] == 't') {
    layout.kind = Kind::time;
    layout.bits = layout.per_second < 1'000'000 ? 32 : 64;
  } else if (format[1] == 's') {
    layout.kind = Kind::timestamp;
    layout.has_zone = format.size() > 4;
  }
  return layout;
}

ArrowLayout integer_layout(char format) {
  constexpr std::string_view signed_ones = "csil";
  constexpr std::string_view unsigned_ones = "CSIL";
  const std::size_t at = signed_ones.find(format);
  const std::size_t unsigned_at = unsigned_ones.find(format);
  if (at == std::string_view::npos && unsigned_at == std::string_view::npos) return {};
  const bool is_signed = at != std::string_view::npos;
  return {.kind = ArrowLayout::Kind::integer,
          .bits = 8U << (is_signed ? at : unsigned_at),
          .is_signed = is_signed};
}

void release_borrowed(ArrowSchema* schema) { schema->release = nullptr; }

}  // namespace

std::string arrow_format(Type type) {
  if (type.id == TypeId::decimal) return fmt::format("d:{},{}", type.width, type.scale);
  for (const TypeFormat& known : formats)
    if (known.id == type.id) return known.format;
  return {};
}

std::string_view arrow_extension(Type type) {
  if (type.id == TypeId::uuid) return "arrow.uuid";
  return type.id == TypeId::json ? "arrow.json" : "";
}

ArrowLayout arrow_layout(std::string_view format) {
  using Kind = ArrowLayout::Kind;
  if (format.starts_with("d:")) return decimal_layout(format.substr(2));
  if (format.starts_with("w:")) {
    format.remove_prefix(2);
    return {.kind = Kind::fixed_bytes, .width = static_cast<unsigned>(number_at(format))};
  }
  if (format.starts_with('t')) return time_layout(format);
  if (format.size() == 1) {
    switch (format.front()) {
      case 'n':
        return {.kind = Kind::null};
      case 'b':
        return {.kind = Kind::boolean};
      case 'f':
        return {.kind = Kind::floating, .bits = 32};
      case 'g':
        return {.kind = Kind::floating, .bits = 64};
      case 'u':
        return {.kind = Kind::text, .bits = 32};
      case 'U':
        return {.kind = Kind::text, .bits = 64};
      case 'z':
        return {.kind = Kind::bytes, .bits = 32};
      case 'Z':
        return {.kind = Kind::bytes, .bits = 64};
      default:
        return integer_layout(format.front());
    }
  }
  if (format == "+l") return {.kind = Kind::list, .bits = 32};
  if (format == "+L") return {.kind = Kind::list, .bits = 64};
  if (format == "+s") return {.kind = Kind::structure};
  if (format == "vu") return {.kind = Kind::text};
  if (format == "vz") return {.kind = Kind::bytes};
  return {};
}

std::string describe_layout(const ArrowLayout& layout, std::string_view format) {
  using Kind = ArrowLayout::Kind;
  switch (layout.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return fmt::format("{}int{}", layout.is_signed ? "" : "u", layout.bits);
    case Kind::floating:
      return layout.bits == 32 ? "float" : "double";
    case Kind::decimal:
      return fmt::format("decimal{}({}, {})", layout.bits, layout.width, layout.scale);
    case Kind::date:
      return "date32";
    case Kind::time:
      return fmt::format("time{}", layout.bits);
    case Kind::timestamp:
      return layout.has_zone ? "timestamp with a zone" : "timestamp";
    case Kind::text:
      return layout.bits == 0 ? "string_view" : layout.bits == 64 ? "large_string" : "string";
    case Kind::bytes:
      return layout.bits == 0 ? "binary_view" : layout.bits == 64 ? "large_binary" : "binary";
    case Kind::fixed_bytes:
      return fmt::format("fixed_size_binary[{}]", layout.width);
    case Kind::list:
      return layout.bits == 64 ? "large_list" : "list";
    case Kind::structure:
      return "struct";
    case Kind::unknown:
      break;
  }
  return fmt::format("of the format \"{}\"", format);
}

ArrowSchemaTree::ArrowSchemaTree(const Schema& schema) {
  root_.format = "+s";
  for (const Field& field : schema.fields) {
    root_.children.push_back(std::make_unique<Node>());
    fill(*root_.children.back(), field.name, field.type, field.required);
  }
  point(root_);
}

void ArrowSchemaTree::fill(Node& node, std::string_view name, Type type, bool required) {
  node.name = name;
  node.format = arrow_format(type);
  node.metadata = extension_metadata(type);
  node.schema.flags = required ? 0 : ARROW_FLAG_NULLABLE;
  if (type.members == nullptr) return;
  for (const TypeMember& member : *type.members) {
    node.children.push_back(std::make_unique<Node>());
    fill(*node.children.back(), type.id == TypeId::list ? "item" : member.name, member.type, false);
  }
}

void ArrowSchemaTree::point(Node& node) {
  for (const auto& child : node.children) {
    point(*child);
    node.pointers.push_back(&child->schema);
  }
  node.schema.name = node.name.c_str();
  node.schema.format = node.format.c_str();
  node.schema.metadata = node.metadata.empty() ? nullptr : node.metadata.data();
  node.schema.n_children = static_cast<std::int64_t>(node.pointers.size());
  node.schema.children = node.pointers.data();
  node.schema.release = release_borrowed;
}

}  // namespace tranche
