// The frame of a page of HTML: what stands around the sections of every report.
//
// A page needs no network and asks for none: its policy allows no request, and no scripts but the
// ones that are part of it, named by their digests.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <tranche/core/page.h>
#include "report/report_writer.h"

namespace tranche::reporting {

std::string page_begin(const Head& head);
std::string page_end(const Head& head);

// The head of a section, and the id that names it. `number` from 1.
std::string section_begin(std::size_t number, std::string_view title, std::string_view text);

// A table, from its caption to the begin of its rows. `id` is the caption's. `is_title`: the
// caption repeats the section's heading, and is there for those who can't see that above it.
std::string table_begin(std::string_view id, std::string_view caption, bool is_title,
                        std::string_view note, const Schema& schema);
// A cell of a row, as text that is not yet HTML. `value`: the number that a text such as "1.2 s"
// is sorted by; empty: the text itself.
void append_cell(std::string& out, std::string_view text, bool is_number,
                 std::string_view value = {});
inline constexpr std::string_view table_end = "</tbody></table></div>\n";

}  // namespace tranche::reporting
