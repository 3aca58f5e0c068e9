// Text as HTML: escaped, and with the few marks that a report's own paragraphs may have.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tranche::reporting {

// For element content and for attributes in double quotes.
void append_html(std::string& out, std::string_view text);
std::string html(std::string_view text);

// JSON for a script element that is data: no "<" in it, so nothing ends the element.
std::string json_for_script(std::string_view json);

// Paragraphs, between blank lines; lists, of lines that begin with "- "; and inside them
// **strong**, *emphasised*, `code` and [links](https://...). Everything else is text.
std::string paragraphs_html(std::string_view text);

}  // namespace tranche::reporting
