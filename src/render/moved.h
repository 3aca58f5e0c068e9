// What backup, restore, migrate and the comparison of a backup say to a person, and to a program.
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/move.h"
#include "base/json.h"
#include "render/look.h"

namespace tranche {

// Before the start: what is moved, what it becomes, and what can't be carried over.
std::string render_move_plan(const Move& move, bool lists_tables, const Look& look);
Json move_plan_json(const Move& move);
// At the end: a line a table.
std::string render_compared(std::span<const ComparedTable> tables, const Look& look);
Json compared_json(std::span<const ComparedTable> tables);

}  // namespace tranche
