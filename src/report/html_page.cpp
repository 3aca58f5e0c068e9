#include "report/html_page.h"

#include <fmt/format.h>

#include "report/assets.h"
#include "report/html_text.h"

namespace tranche::reporting {
namespace {

// A list of what is in it helps from here on.
constexpr std::size_t sections_with_contents = 3;

std::string policy(const Head& head) {
  std::string scripts = policy_source(table_script());
  if (head.has_charts) {
    for (const Asset* script :
         {&vega_script(), &vega_lite_script(), &vega_interpreter_script(), &chart_script()})
      scripts += " " + policy_source(*script);
  }
  return fmt::format(
      "default-src 'none'; base-uri 'none'; form-action 'none'; style-src {}; "
      "script-src {}",
      policy_source(page_style()), scripts);
}

void append_script(std::string& out, const Asset& script) {
  out.append("<script>").append(script.text).append("</script>\n");
}

}  // namespace

std::string page_begin(const Head& head) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"generator\" content=\"Tranche " TRANCHE_VERSION
      "\">\n"
      "<title>{}</title>\n<style>",
      policy(head), html(head.title));
  out.append(page_style().text);
  out += fmt::format("</style>\n</head>\n<body>\n<header>\n<h1>{}</h1>\n{}</header>\n",
                     html(head.title), paragraphs_html(head.text));
  if (head.sections.size() >= sections_with_contents) {
    out += "<nav aria-label=\"Contents\"><ol>\n";
    for (std::size_t i = 0; i < head.sections.size(); ++i) {
      out +=
          fmt::format("<li><a href=\"#section-{}\">{}</a></li>\n", i + 1, html(head.sections[i]));
    }
    out += "</ol></nav>\n";
  }
  return out + "<main>\n";
}

std::string page_end(const Head& head) {
  std::string out = "</main>\n";
  append_script(out, table_script());
  if (head.has_charts) {
    out.append("<!-- Vega, Vega-Lite and vega-interpreter:\n")
        .append(vega_license())
        .append("-->\n");
    for (const Asset* script :
         {&vega_script(), &vega_lite_script(), &vega_interpreter_script(), &chart_script()})
      append_script(out, *script);
  }
  return out + "</body>\n</html>\n";
}

std::string section_begin(std::size_t number, std::string_view title, std::string_view text) {
  return fmt::format(
      "<section aria-labelledby=\"section-{0}\">\n<h2 id=\"section-{0}\">{1}</h2>\n{2}", number,
      html(title), paragraphs_html(text));
}

std::string table_begin(std::string_view id, std::string_view caption, bool is_title,
                        std::string_view note, const Schema& schema) {
  std::string out = fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-labelledby=\"{0}\" tabindex=\"0\"><table "
      "class=\"sorts\">\n<caption id=\"{0}\"><span{1}>{2}</span> <small>{3}</small></caption>\n"
      "<thead><tr>",
      id, is_title ? " class=\"unseen\"" : "", html(caption), html(note));
  for (const Field& field : schema.fields) {
    out += fmt::format("<th scope=\"col\"{}>{}</th>", is_numeric(field.type) ? " class=\"n\"" : "",
                       html(field.name));
  }
  return out + "</tr></thead>\n<tbody>\n";
}

void append_cell(std::string& out, std::string_view text, bool is_number, std::string_view value) {
  out += is_number ? "<td class=\"n\"" : "<td";
  if (!value.empty()) out.append(" data-value=\"").append(value).append("\"");
  out += '>';
  append_html(out, text);
  out += "</td>";
}

}  // namespace tranche::reporting
