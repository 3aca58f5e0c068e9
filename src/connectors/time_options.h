// The options date_format and timestamp_format, which all text formats have alike.
//
// Threads: pure functions. Errors: config.
#pragma once

#include <vector>

#include <tranche/core/options.h>

#include "core/time_format.h"

namespace tranche {

// What reads takes one format or several, which are tried in their order.
Option date_format_to_read();
Option timestamp_format_to_read();
Result<std::vector<TimeFormat>> read_date_formats(const OptionReader& options);
Result<std::vector<TimeFormat>> read_timestamp_formats(const OptionReader& options);
// Whether the columns can have what the formats say.
Result<void> check_read_times(const Schema& schema,
                              const std::vector<TimeFormat>& timestamp_formats);

Option date_format_to_write();
Option timestamp_format_to_write();
Result<TimeFormats> written_time_formats(const OptionReader& options);
Result<void> check_written_times(const Schema& schema, const TimeFormats& formats);

}  // namespace tranche
