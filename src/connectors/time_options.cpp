#include "connectors/time_options.h"

namespace tranche {
namespace {

constexpr char date_key[] = "date_format";
constexpr char timestamp_key[] = "timestamp_format";

template <TimeFormat::Use use>
std::string fault_of(std::string_view text) {
  const auto made = TimeFormat::compile(text, use);
  return made ? std::string() : made.error().message;
}

Result<std::vector<TimeFormat>> read_formats(const OptionReader& options, std::string_view key,
                                             TimeFormat::Use use) {
  std::vector<TimeFormat> formats;
  for (const std::string& text : options.texts(key)) {
    TRANCHE_ASSIGN(auto format, TimeFormat::compile(text, use));
    formats.push_back(std::move(format));
  }
  return formats;
}

}  // namespace

Option date_format_to_read() {
  return {.name = date_key, .kind = OptionKind::texts,
          .doc = "How dates are written, in the letters of strptime; several are tried in their "
                 "order. Left out: YYYY-MM-DD.",
          .example = "\"%d.%m.%Y\"", .fault_of = fault_of<TimeFormat::Use::read_date>};
}

Option timestamp_format_to_read() {
  return {.name = timestamp_key, .kind = OptionKind::texts,
          .doc = "How timestamps are written, in the letters of strptime; several are tried in "
                 "their order. Left out: YYYY-MM-DD HH:MM:SS.",
          .example = "[\"%d.%m.%Y %H:%M\", \"%m/%d/%Y %I:%M %p\"]",
          .fault_of = fault_of<TimeFormat::Use::read_timestamp>};
}

Result<std::vector<TimeFormat>> read_date_formats(const OptionReader& options) {
  return read_formats(options, date_key, TimeFormat::Use::read_date);
}

Result<std::vector<TimeFormat>> read_timestamp_formats(const OptionReader& options) {
  return read_formats(options, timestamp_key, TimeFormat::Use::read_timestamp);
}

Result<void> check_read_times(const Schema& schema,
                              const std::vector<TimeFormat>& timestamp_formats) {
  for (const Field& field : schema.fields) {
    for (const TimeFormat& format : timestamp_formats) {
      TRANCHE_TRY(check_zone(format, field, timestamp_key));
    }
  }
  return {};
}

Option date_format_to_write() {
  return {.name = date_key, .kind = OptionKind::text,
          .doc = "How dates are written, in the letters of strftime. Left out: YYYY-MM-DD.",
          .example = "\"%d.%m.%Y\"", .fault_of = fault_of<TimeFormat::Use::write_date>};
}

Option timestamp_format_to_write() {
  return {.name = timestamp_key, .kind = OptionKind::text,
          .doc = "How timestamps are written, in the letters of strftime; those with a zone in "
                 "UTC. Left out: ISO 8601.",
          .example = "\"%d.%m.%Y %H:%M:%S\"",
          .fault_of = fault_of<TimeFormat::Use::write_timestamp>};
}

Result<TimeFormats> written_time_formats(const OptionReader& options) {
  TimeFormats formats;
  if (options.has(date_key)) {
    TRANCHE_ASSIGN(formats.date,
                   TimeFormat::compile(options.text(date_key), TimeFormat::Use::write_date));
  }
  if (options.has(timestamp_key)) {
    TRANCHE_ASSIGN(formats.timestamp, TimeFormat::compile(options.text(timestamp_key),
                                                          TimeFormat::Use::write_timestamp));
  }
  return formats;
}

Result<void> check_written_times(const Schema& schema, const TimeFormats& formats) {
  if (!formats.timestamp) return {};
  for (const Field& field : schema.fields) {
    TRANCHE_TRY(check_zone(*formats.timestamp, field, timestamp_key));
  }
  return {};
}

}  // namespace tranche
