// Expressions of one database in the words of another.
#include <algorithm>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "connectors/catalog_script.h"

namespace tranche {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Behind the text in quotes that begins at `at`.
std::size_t quoted_end(std::string_view sql, std::size_t at) {
  const std::size_t end = sql.find(sql[at], at + 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

std::string replaced(std::string_view sql, const SqlWords& words) {
  std::size_t longest = 0;
  for (const auto& [word, other] : words) longest = std::max(longest, word.size());
  std::string out;
  for (std::size_t at = 0; at < sql.size();) {
    if (sql[at] == '\'') {
      const std::size_t end = quoted_end(sql, at);
      out += sql.substr(at, end - at);
      at = end;
      continue;
    }
    const std::string rest = to_lower(sql.substr(at, longest));
    const auto found = std::find_if(words.begin(), words.end(), [&](const auto& word) {
      const bool begins_word = !is_word(word.first[0]) || at == 0 || !is_word(sql[at - 1]);
      const std::size_t end = at + word.first.size();
      const bool ends_word = !is_word(word.first.back()) || end >= sql.size() || !is_word(sql[end]);
      return begins_word && ends_word && rest.starts_with(word.first);
    });
    if (found == words.end()) {
      out += sql[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

// Behind the name of a type that begins at `at`: double precision, numeric(12,2), text[].
std::size_t type_end(std::string_view sql, std::size_t at) {
  const auto word_end = [&](std::size_t from) {
    if (from < sql.size() && sql[from] == '"') return quoted_end(sql, from);
    while (from < sql.size() && (is_word(sql[from]) || sql[from] == '.')) ++from;
    return from;
  };
  std::size_t end = word_end(at);
  for (const std::string_view more :
       {" precision", " varying", " without time zone", " with time zone"})
    if (to_lower(sql.substr(end, more.size())) == more) end += more.size();
  if (end < sql.size() && sql[end] == '(') end = std::min(sql.find(')', end), sql.size() - 1) + 1;
  while (sql.substr(end, 2) == "[]") end += 2;
  return end;
}

// Without the casts that PostgreSQL writes behind every constant.
std::string without_casts(std::string_view sql) {
  std::string out;
  for (std::size_t at = 0; at < sql.size();) {
    if (sql[at] == '\'' || sql[at] == '"') {
      const std::size_t end = quoted_end(sql, at);
      out += sql.substr(at, end - at);
      at = end;
    } else if (sql.substr(at, 2) == "::") {
      at = type_end(sql, at + 2);
    } else {
      out += sql[at++];
    }
  }
  return out;
}

// x = ANY (ARRAY['a', 'b']) as x IN ('a', 'b').
std::string with_in_lists(std::string sql) {
  constexpr std::string_view any = "= ANY (ARRAY[";
  constexpr std::string_view any_of_cast = "= ANY ((ARRAY[";
  for (const std::string_view head : {any_of_cast, any}) {
    for (std::size_t at = sql.find(head); at != std::string::npos; at = sql.find(head, at)) {
      const std::size_t close = sql.find(']', at);
      if (close == std::string::npos) break;
      std::size_t end = close + 1;
      while (end < sql.size() && sql[end] == ')' && end - close <= (head == any ? 1U : 2U)) ++end;
      const std::string list = sql.substr(at + head.size(), close - at - head.size());
      sql = sql.substr(0, at) + "IN (" + list + ")" + sql.substr(end);
    }
  }
  return sql;
}

std::string from_postgres(const std::string& sql, const std::string& to) {
  const std::string plain = replaced(sql, {{"public.", ""}, {"pg_catalog.", ""}});
  if (to != "sqlite") return with_in_lists(plain);
  return replaced(with_in_lists(without_casts(plain)),
                  {{"now()", "CURRENT_TIMESTAMP"}, {"!~~", "NOT LIKE"}, {"~~", "LIKE"}});
}

std::string from_duckdb(const std::string& sql, const std::string& to) {
  static const SqlWords to_postgres = {{"cast('t' as boolean)", "true"},
                                       {"cast('f' as boolean)", "false"},
                                       {"count_star()", "count(*)"},
                                       {"get_current_timestamp()", "now()"}};
  static const SqlWords to_sqlite = {{"cast('t' as boolean)", "1"},
                                     {"cast('f' as boolean)", "0"},
                                     {"count_star()", "count(*)"},
                                     {"get_current_timestamp()", "CURRENT_TIMESTAMP"},
                                     {"now()", "CURRENT_TIMESTAMP"}};
  return replaced(sql, to == "sqlite" ? to_sqlite : to_postgres);
}

std::string from_sqlite(const std::string& sql) {
  return replaced(sql, {{"datetime('now')", "CURRENT_TIMESTAMP"}, {"ifnull", "coalesce"}});
}

}  // namespace

std::string replace_words(const std::string& sql, const SqlWords& words) {
  return replaced(sql, words);
}

std::string without_sql_casts(const std::string& sql) { return without_casts(sql); }

std::string translate_sql(const std::string& sql, const std::string& from, const std::string& to) {
  if (from == to) return sql;
  if (from == "postgres") return from_postgres(sql, to);
  return from == "duckdb" ? from_duckdb(sql, to) : from_sqlite(sql);
}

}  // namespace tranche
