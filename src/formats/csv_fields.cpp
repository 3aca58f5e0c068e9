#include "formats/csv_fields.h"

#include <algorithm>
#include <cstring>

namespace tranche {

CsvFields::CsvFields(const CsvDialect& dialect)
    : delimiter_(dialect.delimiter),
      quote_(dialect.quote),
      escape_(dialect.escape),
      trim_(dialect.trim),
      delimiters_(dialect.delimiter[0]),
      quotes_(dialect.quote, dialect.escape) {}

std::size_t CsvFields::split(const char* base, const char* begin, const char* end, bool quoted,
                             const Out& out) const {
  if (!quoted && delimiter_.size() == 1 && !trim_) return split_plain(base, begin, end, out);
  return split_any(base, begin, end, out);
}

void CsvFields::place(const char* base, std::uint32_t begin, std::span<const std::uint32_t> ends,
                      bool quoted, const Out& out) const {
  const std::size_t count = std::min(ends.size(), out.fields_max);
  CsvField* to = out.first;
  for (std::size_t i = 0; i < count; ++i, ++to) {
    const std::uint32_t end = ends[i];
    *to = CsvField{begin, end - begin};
    if (quoted && end != begin && base[begin] == quote_) [[unlikely]] {
      *to = CsvField{begin + 1, end - begin - 2};
      const bool escaped = std::memchr(base + begin + 1, quote_, end - begin - 2) != nullptr;
      to->marks |= CsvField::quoted_mark | (escaped ? CsvField::escaped_mark : 0);
    }
    begin = end + 1;
  }
}

std::size_t CsvFields::split_plain(const char* base, const char* begin, const char* end,
                                   const Out& out) const {
  std::size_t count = 0;
  auto start = static_cast<std::uint32_t>(begin - base);
  const auto put = [&](std::uint32_t stop) {
    out.put(count++, CsvField{start, stop - start});
    start = stop + 1;
  };
  for (const char* p = begin; p < end; p += 16) {
    unsigned mask = delimiters_.matches(p);
    if (end - p < 16) mask &= (1U << (end - p)) - 1;
    const auto block = static_cast<std::uint32_t>(p - base);
    for (; mask != 0; mask &= mask - 1) {
      put(block + static_cast<std::uint32_t>(__builtin_ctz(mask)));
    }
  }
  put(static_cast<std::uint32_t>(end - base));
  return count;
}

const char* CsvFields::find_delimiter(const char* p, const char* end) const {
  while (true) {
    p = delimiters_.find(p, end);
    if (p == end || delimiter_.size() == 1) return p;
    const auto left = static_cast<std::size_t>(end - p);
    if (left < delimiter_.size()) return end;
    if (std::memcmp(p, delimiter_.data(), delimiter_.size()) == 0) return p;
    ++p;
  }
}

// The quote that closes the field whose content begins at `p`.
const char* CsvFields::closing_quote(const char* p, const char* end, bool& escaped) const {
  while (true) {
    p = quotes_.find(p, end);
    if (p == end) return end;
    const bool more = p + 1 < end;
    if (*p == escape_ && escape_ != quote_) {
      const bool pair = more && (p[1] == quote_ || p[1] == escape_);
      escaped = escaped || pair;
      p += pair ? 2 : 1;
    } else if (escape_ == quote_ && more && p[1] == quote_) {
      escaped = true;
      p += 2;
    } else {
      return p;
    }
  }
}

CsvField CsvFields::make(const char* base, const char* begin, const char* end) const {
  return CsvField{static_cast<std::uint32_t>(begin - base),
                  static_cast<std::uint32_t>(end - begin)};
}

std::size_t CsvFields::split_any(const char* base, const char* begin, const char* end,
                                 const Out& out) const {
  std::size_t count = 0;
  const char* p = begin;
  while (true) {
    const char* start = p;
    while (trim_ && start < end && is_blank(*start)) ++start;
    CsvField field;
    const char* stop = nullptr;
    if (quote_ != 0 && start < end && *start == quote_) {
      bool escaped = false;
      const char* const close = closing_quote(start + 1, end, escaped);
      field = make(base, start + 1, close);
      field.marks |= CsvField::quoted_mark | (escaped ? CsvField::escaped_mark : 0);
      stop = find_delimiter(close < end ? close + 1 : end, end);
    } else {
      stop = find_delimiter(p, end);
      const char* last = stop;
      if (start > stop) start = stop;
      while (trim_ && last > start && is_blank(last[-1])) --last;
      field = make(base, start, last);
    }
    out.put(count++, field);
    if (stop == end) return count;
    p = stop + delimiter_.size();
  }
}

char* CsvFields::unescape(std::string_view escaped, char* out) const {
  const char* p = escaped.data();
  const char* const end = p + escaped.size();
  while (p < end) {
    if (*p == escape_ && p + 1 < end && (p[1] == quote_ || p[1] == escape_)) ++p;
    *out++ = *p++;
  }
  return out;
}

std::string CsvFields::text(const char* base, const CsvField& field) const {
  const std::string_view bytes(base + field.begin, field.length());
  if (!field.escaped()) return std::string(bytes);
  std::string out(bytes.size(), '\0');
  out.resize(static_cast<std::size_t>(unescape(bytes, out.data()) - out.data()));
  return out;
}

}  // namespace tranche
