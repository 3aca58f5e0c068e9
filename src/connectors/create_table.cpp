// What SQLite and DuckDB tell of a table only in the text of its CREATE TABLE.
#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/catalog_database.h"

namespace tranche {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Behind the quoted text, name or comment that begins at `at`; `at` where none does.
std::size_t opaque_end(std::string_view sql, std::size_t at) {
  const char c = sql[at];
  if (sql.substr(at, 2) == "--") return std::min(sql.find('\n', at), sql.size());
  if (sql.substr(at, 2) == "/*") return std::min(sql.find("*/", at + 2), sql.size() - 2) + 2;
  if (c != '\'' && c != '"' && c != '`' && c != '[') return at;
  const char close = c == '[' ? ']' : c;
  const std::size_t end = sql.find(close, at + 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

// Behind the word, quoted text, comment or single sign that begins at `at`.
std::size_t token_end(std::string_view sql, std::size_t at) {
  std::size_t end = opaque_end(sql, at);
  if (end > at) return end;
  while (end < sql.size() && is_word(sql[end])) ++end;
  return std::max(end, at + 1);
}

// Words, quoted names and signs of a CREATE TABLE, one after the other.
class Walk {
 public:
  explicit Walk(std::string_view sql) : sql_(sql) {}

  CreateTableParts parts() {
    CreateTableParts parts;
    while (at_ < sql_.size()) {
      const std::string token = next();
      if (token == "(") {
        if (++depth_ == 1) is_first_ = true;
      } else if (token == ")") {
        --depth_;
      } else if (token == "," && depth_ == 1) {
        is_first_ = true;
        name_.clear();
      } else if (depth_ == 1) {
        take(token, parts);
      }
    }
    return parts;
  }

 private:
  // The next token; names without their quotes.
  std::string next() {
    while (at_ < sql_.size()) {
      const std::size_t end = opaque_end(sql_, at_);
      const char c = sql_[at_];
      if (end > at_) {
        const std::string_view text = sql_.substr(at_, end - at_);
        at_ = end;
        if (c == '-' || c == '/') continue;
        is_quoted_ = true;
        return std::string(text.substr(1, text.size() - 2));
      }
      is_quoted_ = false;
      if (is_word(c)) {
        const std::size_t begin = at_;
        while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
        return std::string(sql_.substr(begin, at_ - begin));
      }
      ++at_;
      if (std::isspace(static_cast<unsigned char>(c)) == 0) return std::string(1, c);
    }
    return {};
  }

  void take(const std::string& token, CreateTableParts& parts) {
    if (std::exchange(is_first_, false)) column_ = token;
    const std::string word = is_quoted_ ? std::string() : to_lower(token);
    if (word == "constraint") {
      name_ = next();
    } else if (word == "autoincrement") {
      parts.has_autoincrement = true;
    } else if (word == "check") {
      parts.checks.push_back({std::exchange(name_, {}), in_parentheses()});
    } else if (word == "as") {
      parts.generated.emplace_back(column_, in_parentheses());
    }
  }

  // What stands between the parenthesis that comes next and the one that closes it.
  std::string in_parentheses() {
    const std::size_t begin = sql_.find('(', at_);
    if (begin == std::string_view::npos) return {};
    int depth = 0;
    for (at_ = begin; at_ < sql_.size();) {
      const std::size_t end = opaque_end(sql_, at_);
      if (end > at_) {
        at_ = end;
        continue;
      }
      depth += sql_[at_] == '(' ? 1 : sql_[at_] == ')' ? -1 : 0;
      ++at_;
      if (depth == 0) return std::string(trim(sql_.substr(begin + 1, at_ - begin - 2)));
    }
    return {};
  }

  std::string_view sql_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool is_first_ = false;   // the next token is the first one of a column or constraint
  bool is_quoted_ = false;  // the last token was
  std::string column_;
  std::string name_;  // of the constraint
};

}  // namespace

CreateTableParts parse_create_table(std::string_view sql) { return Walk(sql).parts(); }

IndexParts parse_create_index(std::string_view sql) {
  IndexParts parts;
  int depth = 0;
  std::string part;
  bool is_behind = false;  // the columns
  for (std::size_t at = 0, end = 0; at < sql.size(); at = end) {
    end = token_end(sql, at);
    const std::string_view token = sql.substr(at, end - at);
    if (is_behind) {
      if (depth == 0 && to_lower(token) == "where") parts.where = trim(sql.substr(end));
    } else if (token == "(" && ++depth == 1) {
      continue;
    } else if (token == ")" && --depth == 0) {
      parts.parts.emplace_back(trim(part));
      is_behind = true;
    } else if (token == "," && depth == 1) {
      parts.parts.emplace_back(trim(part));
      part.clear();
    } else if (depth > 0) {
      part += token;
    }
  }
  return parts;
}

std::string parse_create_view(std::string_view sql) {
  std::string columns;  // of CREATE VIEW name (a, b) AS ...
  int depth = 0;
  bool has_name = false;
  for (std::size_t at = 0, end = 0; at < sql.size(); at = end) {
    end = token_end(sql, at);
    const std::string_view token = sql.substr(at, end - at);
    const std::string word = to_lower(token);
    if (word == "view") has_name = true;
    if (has_name && depth == 0 && word == "as") {
      std::string query(trim(sql.substr(end)));
      while (!query.empty() && query.back() == ';') query.pop_back();
      if (columns.empty()) return query;
      return fmt::format("WITH listed{} AS ({}) SELECT * FROM listed", columns, query);
    }
    if (token == "(") ++depth;
    if (depth > 0) columns += token;
    if (token == ")") --depth;
  }
  return {};
}

}  // namespace tranche
