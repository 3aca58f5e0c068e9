// A reject as people get it: one JSON object a line.
// Threads: a pure function.
#pragma once

#include <string>

#include "ledger/ledger.h"

namespace tranche {

// Keys: run step batch record source line offset phase error attempts signal raw; raw_base64
// instead of raw where the bytes are not UTF-8. source, line and offset are null where they are not
// known.
std::string reject_line(const KeptReject& kept);

}  // namespace tranche
