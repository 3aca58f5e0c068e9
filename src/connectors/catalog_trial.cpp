// What of a script the target's system takes.
#include <utility>

#include <fmt/format.h>

#include "connectors/catalog_script.h"

namespace tranche {
namespace {

// What was tried and refused; empty: nothing was.
std::string refusal(CatalogDatabase& database, const Definition& definition, bool is_to_stay) {
  const auto tried = [&]() -> Result<void> {
    TRANCHE_TRY(database.begin_trial());
    TRANCHE_TRY(database.execute(definition.sql()));
    if (!definition.probe.empty()) TRANCHE_TRY(database.execute(definition.probe));
    if (is_to_stay) return database.keep_trial();
    return {};
  }();
  if (!tried || !is_to_stay) database.undo_trial();
  return tried ? std::string() : tried.error().message;
}

// Takes out the parts that are refused, each tried beside those that were taken.
void try_parts(Definition& definition, CatalogDatabase& database, CatalogScript& script) {
  const std::vector<DefinitionPart> parts = std::exchange(definition.parts, {});
  for (const DefinitionPart& part : parts) {
    definition.parts.push_back(part);
    const std::string why = refusal(database, definition, false);
    if (why.empty()) continue;
    definition.parts.pop_back();
    script.not_carried.push_back({part.what, why});
  }
}

}  // namespace

Result<void> try_out(CatalogScript& script, CatalogDatabase& database) {
  std::vector<Definition> taken;
  std::vector<std::pair<Definition, std::string>> refused;
  for (Definition& definition : script.definitions) {
    std::string why = refusal(database, definition, true);
    if (!why.empty() && !definition.parts.empty()) {
      try_parts(definition, database, script);
      why = refusal(database, definition, true);
    }
    if (why.empty()) {
      taken.push_back(std::move(definition));
    } else if (definition.is_optional) {
      refused.emplace_back(std::move(definition), std::move(why));
    } else {
      return make_error(ErrorKind::config,
                        fmt::format("The target can't have {}: {}. Leave it out with --exclude, or "
                                    "say other types with --cast.",
                                    definition.what, why));
    }
  }
  // A view may stand on one that comes behind it.
  for (std::size_t before = SIZE_MAX; refused.size() < before;) {
    before = refused.size();
    std::erase_if(refused, [&](auto& one) {
      one.second = refusal(database, one.first, true);
      if (!one.second.empty()) return false;
      taken.push_back(std::move(one.first));
      return true;
    });
  }
  for (auto& [definition, why] : refused) script.not_carried.push_back({definition.what, why});
  script.definitions = std::move(taken);
  return {};
}

}  // namespace tranche
