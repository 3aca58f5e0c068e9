#include "render/moved.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t why_bytes_max = 160;

std::string listed(const Look& look, std::string_view title,
                   const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string out = "  " + paint(look, Colour::bold, title) + "\n";
  for (const std::string& line : lines) out += "    " + wrap(line, 100, 6) + "\n";
  return out;
}

std::string count_of(std::size_t count, const char* one, const char* many) {
  return format_number_of(count, one, many);
}

// "3 tables with 12 indexes, 1 view and 2 sequences"
std::string contents(const MovePlan& plan) {
  std::size_t indexes = 0;
  for (const CatalogTable& table : plan.catalog.tables) indexes += table.indexes.size();
  const std::size_t sequences = static_cast<std::size_t>(
      std::count_if(plan.catalog.sequences.begin(), plan.catalog.sequences.end(),
                    [](const CatalogSequence& one) { return !one.is_identity; }));
  std::vector<std::string> parts{count_of(plan.catalog.tables.size(), "table", "tables")};
  if (indexes > 0) parts.push_back(count_of(indexes, "index", "indexes"));
  if (!plan.catalog.views.empty())
    parts.push_back(count_of(plan.catalog.views.size(), "view", "views"));
  if (sequences > 0) parts.push_back(count_of(sequences, "sequence", "sequences"));
  return join(parts, ", ");
}

std::string checksum_cell(const ComparedTable& table) {
  if (!table.only_counted.empty()) return "";
  return to_hex64(table.checksum_found);
}

}  // namespace

std::string render_move_plan(const Move& move, bool lists_tables, const Look& look) {
  const MovePlan& plan = move.plan();
  std::string out = fmt::format("{} {} -> {}{}\n", paint(look, Colour::bold, to_string(plan.kind)),
                                move.order().source_name(), move.order().target_name(),
                                move.is_resumed() ? ", begun earlier" : "");
  out += "  " + contents(plan) + "\n";
  if (lists_tables) {
    TextTable table(
        {{"table"}, {"becomes"}, {"rows, about", TextTable::Align::right}, {"columns"}});
    for (const MovedTable& moved : plan.tables) {
      std::vector<std::string> columns;
      for (const Field& field : moved.columns)
        columns.push_back(field.name + " " + to_string(field.type));
      table.add({{moved.source.text()},
                 {plan.kind == MoveKind::backup ? moved.folder : moved.target.text()},
                 {format_count(moved.rows_about)},
                 {join(columns, ", ")}});
    }
    if (!table.empty()) out += "\n" + table.render(look, 2, 80);
    for (const auto* scripts : {&plan.before, &plan.behind})
      for (const MoveScript& script : *scripts) {
        out += "\n  " + paint(look, Colour::bold, script.step) + "\n";
        for (const std::string& statement : script.statements) out += "    " + statement + ";\n";
      }
    out += "\n";
  }
  out += listed(look, "Becomes something else:", plan.changes);
  std::vector<std::string> left;
  for (const NotCarried& one : plan.not_carried)
    left.push_back(fmt::format("{}: {}", one.what, excerpt(one.why, why_bytes_max)));
  out += listed(look, "Can't be carried over:", left);
  return out;
}

Json move_plan_json(const Move& move) {
  const Json all = to_json(move.plan());
  return Json()
      .set("job", move.plan().job)
      .set("source", move.order().source_name())
      .set("target", move.order().target_name())
      .set("tables", all["tables"])
      .set("before", all["before"])
      .set("behind", all["behind"])
      .set("changes", all["changes"])
      .set("not_carried", all["not_carried"]);
}

std::string render_compared(std::span<const ComparedTable> tables, const Look& look) {
  const bool is_timed = std::any_of(tables.begin(), tables.end(),
                                    [](const ComparedTable& one) { return one.seconds > 0; });
  std::vector<TextTable::Heading> headings{
      {"table"}, {"rows", TextTable::Align::right}, {"checksum"}};
  if (is_timed) headings.push_back({"seconds", TextTable::Align::right, true});
  headings.push_back({""});
  TextTable table(std::move(headings));
  std::string notes;
  for (const ComparedTable& one : tables) {
    const bool is_good = one.is_equal();
    const std::string sign =
        is_good ? (one.only_counted.empty() ? "equal" : "counted") : "DIFFERENT";
    std::vector<TextTable::Cell> row{
        {one.table}, {format_count(one.rows_found)}, {checksum_cell(one)}};
    if (is_timed) row.push_back({one.seconds > 0 ? fmt::format("{:.1f}", one.seconds) : ""});
    row.push_back({sign, is_good ? Colour::green : Colour::red});
    table.add(std::move(row));
    const std::string wrong = one.difference();
    if (!wrong.empty()) notes += fmt::format("  {}: {}.\n", one.table, wrong);
    if (is_good && !one.only_counted.empty())
      notes += fmt::format("  {}: only counted, since {}.\n", one.table, one.only_counted);
  }
  std::string out = table.empty() ? std::string() : table.render(look, 2, 60);
  if (!notes.empty()) out += "\n" + notes;
  return out;
}

Json compared_json(std::span<const ComparedTable> tables) {
  Json list{Json::Array{}};
  for (const ComparedTable& table : tables) {
    Json one;
    one.set("table", table.table)
        .set("equal", table.is_equal())
        .set("rows", table.rows_found)
        .set("checksum", checksum_cell(table))
        .set("seconds", table.seconds);
    if (const std::string wrong = table.difference(); !wrong.empty()) one.set("difference", wrong);
    if (!table.only_counted.empty()) one.set("only_counted", table.only_counted);
    list.push(std::move(one));
  }
  return list;
}

}  // namespace tranche
