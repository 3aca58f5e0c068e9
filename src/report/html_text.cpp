#include "report/html_text.h"

#include <array>
#include <vector>

#include "base/text.h"
#include "report/cell_text.h"

namespace tranche::reporting {
namespace {

bool is_link(std::string_view address) {
  const std::string lower = to_lower(address);
  for (const char* scheme : {"https://", "http://", "mailto:"}) {
    if (lower.starts_with(scheme)) return true;
  }
  return false;
}

// What stands between two marks of a line, from behind the first one on; empty: there is no end.
std::string_view between(std::string_view text, std::string_view mark) {
  const std::size_t end = text.find(mark);
  if (end == std::string_view::npos || end == 0 || text[0] == ' ' || text[end - 1] == ' ')
    return {};
  return text.substr(0, end);
}

std::string inline_html(std::string_view text);

// Appends what begins at the front of `text`, if it is a mark; how many bytes it takes, 0: none.
std::size_t append_marked(std::string& out, std::string_view text) {
  struct Mark {
    std::string_view sign;
    std::string_view element;
  };
  static constexpr std::array<Mark, 3> marks{{{"**", "strong"}, {"*", "em"}, {"`", "code"}}};
  for (const Mark& mark : marks) {
    if (!text.starts_with(mark.sign)) continue;
    const std::string_view inside = between(text.substr(mark.sign.size()), mark.sign);
    if (inside.empty()) continue;
    out.append("<").append(mark.element).append(">");
    out += mark.sign == "`" ? html(inside) : inline_html(inside);
    out.append("</").append(mark.element).append(">");
    return inside.size() + 2 * mark.sign.size();
  }
  if (!text.starts_with('[')) return 0;
  const std::size_t middle = text.find("](");
  if (middle == std::string_view::npos) return 0;
  const std::size_t end = text.find(')', middle);
  if (end == std::string_view::npos) return 0;
  const std::string_view address = text.substr(middle + 2, end - middle - 2);
  if (!is_link(address)) return 0;
  out.append("<a href=\"").append(html(address)).append("\" rel=\"noreferrer\">");
  out.append(html(text.substr(1, middle - 1))).append("</a>");
  return end + 1;
}

std::string inline_html(std::string_view text) {
  std::string out;
  std::size_t plain = 0;  // where what is not yet written begins
  std::size_t at = 0;
  while (at < text.size()) {
    std::string marked;
    const std::size_t taken = append_marked(marked, text.substr(at));
    if (taken == 0) {
      ++at;
      continue;
    }
    append_html(out, text.substr(plain, at - plain));
    out += marked;
    at += taken;
    plain = at;
  }
  append_html(out, text.substr(plain));
  return out;
}

}  // namespace

void append_html(std::string& out, std::string_view text) {
  for (const char c : readable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

std::string html(std::string_view text) {
  std::string out;
  append_html(out, text);
  return out;
}

std::string json_for_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";  // only strings of JSON have one
    else
      out += c;
  }
  return out;
}

std::string paragraphs_html(std::string_view text) {
  std::string out;
  std::string paragraph;
  bool is_in_list = false;
  const auto end_paragraph = [&] {
    if (!paragraph.empty())
      out += (is_in_list ? "<li>" : "<p>") + inline_html(paragraph) +
             (is_in_list ? "</li>\n" : "</p>\n");
    paragraph.clear();
  };
  const auto set_list = [&](bool wanted) {
    if (wanted == is_in_list) return;
    end_paragraph();
    out += wanted ? "<ul>\n" : "</ul>\n";
    is_in_list = wanted;
  };
  for (const std::string& one : split(text, '\n')) {
    const std::string_view line = trim(one);
    if (line.empty()) {
      end_paragraph();
      set_list(false);
      continue;
    }
    if (line.starts_with("- ")) {
      set_list(true);
      end_paragraph();
      paragraph = line.substr(2);
      continue;
    }
    if (!paragraph.empty()) paragraph += ' ';
    paragraph += line;
  }
  end_paragraph();
  set_list(false);
  return out;
}

}  // namespace tranche::reporting
