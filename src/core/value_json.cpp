// Values -> JSON, where speed is no matter: rejects, and nested values in formats without them.
#include <cmath>

#include <tranche/core/value.h>

#include "base/json.h"
#include "base/text.h"

namespace tranche {
namespace {

bool is_plain_in_json(const Column& column, std::size_t row) {
  switch (column.type().id) {
    case TypeId::real: return std::isfinite(column.values<float>()[row]);
    case TypeId::double_: return std::isfinite(column.values<double>()[row]);
    case TypeId::boolean: return true;
    default: return is_numeric(column.type());
  }
}

void append_text(std::string& out, std::string_view text) {
  // The record may be bad for this very reason: it must be shown all the same.
  if (is_utf8(text))
    append_json_string(out, text);
  else
    out += Json(text).dump();
}

void append_list(std::string& out, const Column& column, std::size_t row) {
  const ListEntry& entry = column.values<ListEntry>()[row];
  out += '[';
  for (std::uint64_t i = 0; i < entry.length; ++i) {
    if (i != 0) out += ',';
    append_json_value(out, column.child(0), entry.offset + i);
  }
  out += ']';
}

void append_struct(std::string& out, const Column& column, std::size_t row) {
  const auto& members = *column.type().members;
  out += '{';
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i != 0) out += ',';
    append_json_string(out, members[i].name);
    out += ':';
    append_json_value(out, column.child(i), row);
  }
  out += '}';
}

}  // namespace

void append_json_value(std::string& out, const Column& column, std::size_t row) {
  if (!column.is_valid(row)) {
    out += "null";
    return;
  }
  const auto string = [&] { return column.values<StringRef>()[row].view(); };
  switch (column.type().id) {
    case TypeId::list: return append_list(out, column, row);
    case TypeId::struct_: return append_struct(out, column, row);
    case TypeId::json: {
      // Where it came from nobody may have judged it; then it is text.
      StringRef checked;
      if (is_utf8(string()) && parse_json(string(), checked) == ParseStatus::ok)
        out += string();
      else
        append_text(out, string());
      return;
    }
    case TypeId::varchar: return append_text(out, string());
    case TypeId::blob: return append_json_string(out, hex(string()));
    default: break;
  }
  if (is_plain_in_json(column, row)) return append_value_text(out, column, row);
  out += '"';  // none of these texts has anything to escape
  append_value_text(out, column, row);
  out += '"';
}

}  // namespace tranche
