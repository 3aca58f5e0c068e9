#include "formats/http_template.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::string_view record_prefix = "record.";
constexpr std::string_view records_prefix = "records.";
constexpr std::string_view environment_prefix = "env:";

void append_percent_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

Result<HttpTemplate> HttpTemplate::parse(std::string_view text, Place place) {
  HttpTemplate made;
  made.place_ = place;
  std::string plain;
  const auto add_plain = [&] {
    if (!plain.empty()) made.pieces_.push_back({Kind::text, std::exchange(plain, {}), {}, 0});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{')) {
      plain += text[i];
    } else if (next == '$') {
      plain += '$';
      ++i;
    } else {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos)
        return make_error(ErrorKind::config, "A \"${\" is not closed with \"}\".");
      add_plain();
      TRANCHE_TRY(made.add(text.substr(i + 2, end - i - 2)));
      i = end;
    }
  }
  add_plain();
  return made;
}

Result<void> HttpTemplate::add(std::string_view name) {
  if (name == "record" && place_ == Place::body) {
    pieces_.push_back({Kind::record, {}, {}, 0});
  } else if (name == "records" && place_ == Place::body) {
    pieces_.push_back({Kind::records, {}, {}, 0});
  } else if (name.starts_with(records_prefix) && name.size() > records_prefix.size() &&
             place_ == Place::body) {
    pieces_.push_back({Kind::columns, {}, std::string(name.substr(records_prefix.size())), 0});
  } else if (name.starts_with(record_prefix) && name.size() > record_prefix.size()) {
    pieces_.push_back({Kind::column, {}, std::string(name.substr(record_prefix.size())), 0});
  } else if (name.starts_with(environment_prefix)) {
    std::string variable(name.substr(environment_prefix.size()));
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr) {
      return make_error(ErrorKind::config,
                        fmt::format("The environment variable {} is not set.", excerpt(variable)));
    }
    pieces_.push_back({Kind::secret, value, std::move(variable), 0});
  } else {
    return make_error(
        ErrorKind::config,
        fmt::format("\"${{{}}}\" is nothing of a record; ${{record.column}} is{}.", excerpt(name),
                    place_ == Place::body ? ", and ${record}, all of it" : ""));
  }
  return {};
}

Result<void> HttpTemplate::bind(const Schema& input) {
  for (Piece& piece : pieces_) {
    if (piece.kind != Kind::column && piece.kind != Kind::columns) continue;
    const auto found = input.find(piece.name);
    if (!found) {
      std::vector<std::string> names;
      for (const Field& field : input.fields) names.push_back(field.name);
      const auto near = nearest(piece.name, names);
      return make_error(ErrorKind::config,
                        fmt::format("The records have no column \"{}\"; {}.", excerpt(piece.name),
                                    near ? fmt::format("did you mean \"{}\"?", *near)
                                         : fmt::format("they have {}", join(names, ", "))));
    }
    piece.column = *found;
  }
  return {};
}

std::optional<std::string> HttpTemplate::append(std::string& out, const Page& page,
                                                std::span<const std::uint32_t> rows) const {
  for (const Piece& piece : pieces_) {
    if (piece.kind == Kind::text || piece.kind == Kind::secret) {
      out += piece.text;
    } else if (piece.kind == Kind::record) {
      out += row_as_json(page, rows.front());
    } else if (piece.kind == Kind::records || piece.kind == Kind::columns) {
      append_array(out, piece, page, rows);
    } else if (auto wrong = append_column(out, piece, page, rows.front())) {
      return wrong;
    }
  }
  return std::nullopt;
}

void HttpTemplate::append_array(std::string& out, const Piece& piece, const Page& page,
                                std::span<const std::uint32_t> rows) {
  out += '[';
  const char* separator = "";
  for (const std::uint32_t row : rows) {
    out += std::exchange(separator, ",");
    if (piece.kind == Kind::records)
      out += row_as_json(page, row);
    else
      append_json_value(out, page.column(piece.column), row);
  }
  out += ']';
}

std::optional<std::string> HttpTemplate::append_column(std::string& out, const Piece& piece,
                                                       const Page& page, std::size_t row) const {
  const Column& column = page.column(piece.column);
  if (place_ == Place::body) {
    append_json_value(out, column, row);
    return std::nullopt;
  }
  const char* const whole = place_ == Place::url ? "the URL" : "a header";
  if (!column.is_valid(row))
    return fmt::format("Column \"{}\" is null, which {} of the call can't hold.", piece.name,
                       whole);
  std::string value;
  append_value_text(value, column, row);
  if (place_ == Place::url) {
    append_percent_encoded(out, value);
  } else if (std::any_of(value.begin(), value.end(), is_control)) {
    return fmt::format("Column \"{}\" holds a control character, which {} of the call can't.",
                       piece.name, whole);
  } else {
    out += value;
  }
  return std::nullopt;
}

bool HttpTemplate::is_of_several() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.kind == Kind::records || piece.kind == Kind::columns;
  });
}

bool HttpTemplate::names_one_record() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.kind == Kind::record || piece.kind == Kind::column;
  });
}

bool HttpTemplate::is_constant() const {
  return std::all_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.kind == Kind::text || piece.kind == Kind::secret;
  });
}

std::string HttpTemplate::with_values(std::string_view json) const {
  std::string made;
  for (const Piece& piece : pieces_) {
    const bool is_own = piece.kind == Kind::text || piece.kind == Kind::secret;
    made += is_own ? std::string_view(piece.text) : json;
  }
  return made;
}

std::string HttpTemplate::beginning() const {
  std::string made;
  for (const Piece& piece : pieces_) {
    if (piece.kind != Kind::text && piece.kind != Kind::secret) break;
    made += piece.text;
  }
  return made;
}

void HttpTemplate::collect_secrets(Secrets& secrets) const {
  for (const Piece& piece : pieces_)
    if (piece.kind == Kind::secret && !piece.text.empty())
      secrets.emplace_back(piece.text, piece.name);
}

std::string without_secrets(std::string text, const HttpTemplate::Secrets& secrets) {
  for (const auto& [value, name] : secrets) {
    const std::string instead = fmt::format("${{env:{}}}", name);
    for (std::size_t at = 0; (at = text.find(value, at)) != std::string::npos;) {
      text.replace(at, value.size(), instead);
      at += instead.size();
    }
  }
  return text;
}

}  // namespace tranche
