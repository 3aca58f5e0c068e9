#include "jobfile/sql_parameters.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "api/step_values.h"
#include "base/text.h"
#include "jobfile/parameters.h"

namespace tranche {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Where the word that begins at `at` ends; `at` itself where none does.
std::size_t word_end(std::string_view sql, std::size_t at) {
  if (at < sql.size() && sql[at] >= '0' && sql[at] <= '9') return at;
  while (at < sql.size() && is_word(sql[at])) ++at;
  return at;
}

// Behind the quoted text or name that begins at `at`. A doubled quote opens the next one at once.
std::size_t quoted_end(std::string_view sql, std::size_t at) {
  const char quote = sql[at];
  const bool has_escapes = quote == '\'' && at > 0 && (sql[at - 1] == 'E' || sql[at - 1] == 'e') &&
                           (at == 1 || !is_word(sql[at - 2]));
  for (++at; at < sql.size() && sql[at] != quote; ++at)
    if (has_escapes && sql[at] == '\\') ++at;
  return std::min(at + 1, sql.size());
}

std::size_t line_comment_end(std::string_view sql, std::size_t at) {
  return std::min(sql.find('\n', at), sql.size());
}

std::size_t block_comment_end(std::string_view sql, std::size_t at) {
  int depth = 0;
  for (; at < sql.size(); ++at) {
    const std::string_view pair = sql.substr(at, 2);
    if (pair == "/*") ++depth;
    if (pair == "*/") --depth;
    if (pair == "/*" || pair == "*/") ++at;
    if (depth == 0) return at + 1;
  }
  return sql.size();
}

// Behind a text between two $tag$; `at` itself where none begins.
std::size_t dollar_quoted_end(std::string_view sql, std::size_t at) {
  const std::size_t tag_end = word_end(sql, at + 1);
  if (tag_end >= sql.size() || sql[tag_end] != '$') return at;
  const std::string_view tag = sql.substr(at, tag_end + 1 - at);
  const std::size_t close = sql.find(tag, tag_end + 1);
  return close == std::string_view::npos ? at : close + tag.size();
}

// Behind what holds no parameter and begins at `at`; `at` itself where nothing of the kind does.
std::size_t opaque_end(std::string_view sql, std::size_t at) {
  const char c = sql[at];
  if (c == '\'' || c == '"') return quoted_end(sql, at);
  if (sql.substr(at, 2) == "--") return line_comment_end(sql, at);
  if (sql.substr(at, 2) == "/*") return block_comment_end(sql, at);
  if (c != '$') return at;
  if (at > 0 && is_word(sql[at - 1])) return at + 1;  // a dollar in a name
  return dollar_quoted_end(sql, at);
}

class Replacement {
 public:
  Replacement(std::span<const Parameter> parameters, std::string (*sql_value)(const Parameter&),
              Problems& problems)
      : parameters_(parameters), sql_value_(sql_value), problems_(problems) {}

  void in(Node& node) {
    for (Node& item : node.items) in(item);
    if (node.kind != Node::Kind::scalar || node.text.find('$') == std::string::npos) return;
    const std::string sql = std::exchange(node.text, {});
    for (std::size_t at = 0; at < sql.size();) {
      std::size_t end = opaque_end(sql, at);
      if (end == at && sql[at] == '$' && (end = word_end(sql, at + 1)) > at + 1) {
        const std::string name = sql.substr(at + 1, end - at - 1);
        const std::size_t field = end_of_step_value(sql, end);
        if (name == "steps" && field > end) {
          const std::size_t dot = sql.find('.', end + 1);
          node.text += step_value(std::string_view(sql).substr(end + 1, dot - end - 1),
                                         std::string_view(sql).substr(dot + 1, field - dot - 1));
          end = field;
        } else {
          node.text += value_of(name, node.mark);
        }
      } else {
        end = std::max(end, at + 1);
        node.text.append(sql, at, end - at);
      }
      at = end;
    }
  }

 private:
  // Behind the ".load.written" at `at`; `at` itself where there is none.
  static std::size_t end_of_step_value(std::string_view sql, std::size_t at) {
    std::size_t end = at;
    for (int part = 0; part < 2; ++part) {
      if (end >= sql.size() || sql[end] != '.') return at;
      const std::size_t word = word_end(sql, end + 1);
      if (word == end + 1) return at;
      end = word;
    }
    return end;
  }
  std::string value_of(const std::string& name, Mark mark) {
    for (const Parameter& parameter : parameters_)
      if (parameter.name == name) return sql_value_(parameter);
    problems_.push_back({mark, fmt::format("There is no parameter \"{}\"{}", excerpt(name),
                                           parameter_hint(name, parameters_))});
    return "NULL";
  }

  std::span<const Parameter> parameters_;
  std::string (*sql_value_)(const Parameter&);
  Problems& problems_;
};

}  // namespace

void replace_sql_parameters(Node& sql, std::span<const Parameter> parameters,
                            std::string (*sql_value)(const Parameter&), Problems& problems) {
  Replacement(parameters, sql_value, problems).in(sql);
}

}  // namespace tranche
