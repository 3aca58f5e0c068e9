#include "base/time_zone.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr char database_folder[] = "/usr/share/zoneinfo";
constexpr std::int64_t day_seconds = 86'400;
// Zones have been up to a day apart, and days have been skipped.
constexpr std::int64_t offset_seconds_max = 26 * 3600;

// Numbers in a zone's file, most significant byte first.
class FileBytes {
 public:
  explicit FileBytes(std::string_view bytes) : left_(bytes) {}

  bool skip(std::uint64_t bytes) {
    if (bytes > left_.size()) return false;
    left_.remove_prefix(static_cast<std::size_t>(bytes));
    return true;
  }
  template <class T> std::optional<T> number() {
    if (left_.size() < sizeof(T)) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = value << 8 | static_cast<unsigned char>(left_[i]);
    left_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }
  std::string_view left() const { return left_; }

 private:
  std::string_view left_;
};

// When a year's clocks are changed: the form that the database's rules have today,
// "M3.5.0/2", is the last Sunday of March, at two o'clock; "J60" and "59" are days of the year.
struct ChangeRule {
  enum class Kind : std::uint8_t { week_day, day_without_leap, day };
  Kind kind = Kind::week_day;
  unsigned month = 1, week = 1, week_day = 0;
  int day = 0;
  std::int64_t seconds = 7200;  // of local time, from that day's midnight

  std::int64_t local_seconds(int of_year) const {
    using namespace std::chrono;
    const year in{of_year};
    if (kind != Kind::week_day) {
      const sys_days first{in / January / 1};
      const int leap = kind == Kind::day_without_leap && in.is_leap() && day >= 60 ? 1 : 0;
      const int behind = kind == Kind::day_without_leap ? day - 1 + leap : day;
      return (first.time_since_epoch().count() + std::int64_t{behind}) * day_seconds + seconds;
    }
    const weekday on{week_day};
    const sys_days date = week == 5 ? sys_days{in / std::chrono::month{month} / on[last]}
                                    : sys_days{in / std::chrono::month{month} / on[week]};
    return std::int64_t{date.time_since_epoch().count()} * day_seconds + seconds;
  }
};

// "CET-1CEST,M3.5.0,M10.5.0/3"
struct LastRule {
  std::int64_t standard_seconds = 0;
  std::int64_t saving_seconds = 0;
  std::optional<ChangeRule> begin, end;  // of daylight saving

  TimeZone::Span span_at(std::int64_t at) const {
    TimeZone::Span span;
    span.offset_seconds = standard_seconds;
    if (!begin || !end) return span;
    using namespace std::chrono;
    const sys_days day = floor<days>(sys_seconds(seconds(at)));
    const int year = static_cast<int>(year_month_day(day).year());
    span.begin_seconds = INT64_MIN;
    for (int of = year - 1; of <= year + 1; ++of) {
      const std::array<std::pair<std::int64_t, std::int64_t>, 2> changes{{
          {begin->local_seconds(of) - standard_seconds, saving_seconds},
          {end->local_seconds(of) - saving_seconds, standard_seconds},
      }};
      for (const auto& [when, offset] : changes) {
        if (when <= at && when >= span.begin_seconds) {
          span.begin_seconds = when;
          span.offset_seconds = offset;
        }
        if (when > at) span.end_seconds = std::min(span.end_seconds, when);
      }
    }
    return span;
  }
};

// Reads a rule's text from left to right; each part is nullopt where it is none.
class RuleText {
 public:
  explicit RuleText(std::string_view text) : left_(text) {}

  bool at_end() const { return left_.empty(); }
  bool take(char c) {
    if (left_.empty() || left_[0] != c) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool name() {
    const bool quoted = take('<');
    std::size_t length = 0;
    const auto is_of_name = [quoted](char c) {
      if (quoted) return c != '>';
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    while (length < left_.size() && is_of_name(left_[length])) ++length;
    left_.remove_prefix(length);
    return length > 0 && (!quoted || take('>'));
  }
  std::optional<int> number() {
    int value = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (error != std::errc() || value < 0 || value > 366) return std::nullopt;
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return value;
  }
  // [+-]hh[:mm[:ss]]
  std::optional<std::int64_t> time() {
    const bool negative = take('-');
    if (!negative) take('+');
    std::int64_t seconds = 0;
    for (std::int64_t unit : {3600, 60, 1}) {
      const auto part = number();
      if (!part) return std::nullopt;
      seconds += *part * unit;
      if (!take(':')) break;
    }
    return negative ? -seconds : seconds;
  }
  std::optional<ChangeRule> change() {
    ChangeRule rule;
    if (take('M')) {
      std::array<int, 3> parts{};  // month, week, day of the week
      for (int& part : parts) {
        if (&part != &parts[0] && !take('.')) return std::nullopt;
        part = number().value_or(-1);
      }
      const auto [month, week, day] = parts;
      if (month < 1 || month > 12 || week < 1 || week > 5 || day < 0 || day > 6)
        return std::nullopt;
      rule.month = static_cast<unsigned>(month);
      rule.week = static_cast<unsigned>(week);
      rule.week_day = static_cast<unsigned>(day);
    } else {
      rule.kind = take('J') ? ChangeRule::Kind::day_without_leap : ChangeRule::Kind::day;
      const auto day = number();
      if (!day) return std::nullopt;
      rule.day = *day;
    }
    if (!take('/')) return rule;
    const auto seconds = time();
    if (!seconds) return std::nullopt;
    rule.seconds = *seconds;
    return rule;
  }

 private:
  std::string_view left_;
};

std::optional<LastRule> parse_last_rule(std::string_view line) {
  RuleText text(line);
  LastRule rule;
  const auto west = text.name() ? text.time() : std::nullopt;  // counted westwards
  if (!west) return std::nullopt;
  rule.standard_seconds = -*west;
  if (text.at_end()) return rule;
  if (!text.name()) return std::nullopt;
  rule.saving_seconds = rule.standard_seconds + 3600;
  if (!text.take(',')) {
    const auto saving_west = text.time();
    if (!saving_west || !text.take(',')) return std::nullopt;
    rule.saving_seconds = -*saving_west;
  }
  rule.begin = text.change();
  rule.end = rule.begin && text.take(',') ? text.change() : std::nullopt;
  if (!rule.end || !text.at_end()) return std::nullopt;
  return rule;
}

// The counts of a header, in the order of the file.
struct Header {
  std::uint32_t utc_marks = 0, standard_marks = 0, leaps = 0, changes = 0, types = 0, letters = 0;
  std::uint64_t bytes(std::uint64_t time_bytes) const {
    return changes * (time_bytes + 1) + types * std::uint64_t{6} + letters +
           leaps * (time_bytes + 4) + standard_marks + utc_marks;
  }
};

std::optional<Header> read_header(FileBytes& file) {
  constexpr std::size_t reserved_bytes = 16;  // behind the magic word, with the version
  if (!file.left().starts_with("TZif") || !file.skip(4 + reserved_bytes)) return std::nullopt;
  Header header;
  for (std::uint32_t* count : {&header.utc_marks, &header.standard_marks, &header.leaps,
                               &header.changes, &header.types, &header.letters}) {
    const auto read = file.number<std::uint32_t>();
    if (!read) return std::nullopt;
    *count = *read;
  }
  return header;
}

bool is_name(std::string_view name) {
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '+' || c == '/';
  };
  return name.size() < 100 && name[0] != '/' && std::all_of(name.begin(), name.end(), is_of_name);
}

Error unknown_zone(std::string_view name) {
  std::vector<std::string> names;
  std::error_code failed;
  auto entry = fs::recursive_directory_iterator(database_folder, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    std::string found = entry->path().lexically_relative(database_folder).string();
    if (found[0] >= 'A' && found[0] <= 'Z') names.push_back(std::move(found));
  }
  if (names.empty()) {
    return make_error(ErrorKind::config,
                      fmt::format("There are no time zones in {}. Install the package tzdata.",
                                  database_folder));
  }
  const auto meant = nearest(name, names);
  return make_error(ErrorKind::config,
                    fmt::format("There is no time zone \"{}\" in the system's database{}",
                                excerpt(name, 40),
                                meant ? fmt::format("; did you mean \"{}\"?", *meant)
                                      : std::string(", where they are named as in "
                                                    "\"Europe/Berlin\"")));
}

}  // namespace

struct TimeZone::Rules {
  struct Change {
    std::int64_t at = 0;
    std::int64_t offset_seconds = 0;  // from here on
  };
  std::int64_t first_offset_seconds = 0;  // before the first change
  std::vector<Change> changes;
  std::optional<LastRule> last;  // behind the last change

  static std::optional<Rules> read(std::string_view bytes) {
    FileBytes file(bytes);
    const auto old_header = read_header(file);  // of a block with times of 32 bits
    if (!old_header || !file.skip(old_header->bytes(4))) return std::nullopt;
    const auto header = read_header(file);
    if (!header || header->types == 0 || header->bytes(8) > file.left().size()) return std::nullopt;
    Rules rules;
    rules.changes.resize(header->changes);
    for (Change& change : rules.changes) change.at = *file.number<std::int64_t>();
    std::vector<std::uint8_t> types;
    for (std::uint32_t i = 0; i < header->changes; ++i)
      types.push_back(*file.number<std::uint8_t>());
    std::vector<std::int64_t> offsets;
    for (std::uint32_t i = 0; i < header->types; ++i) {
      offsets.push_back(*file.number<std::int32_t>());
      file.skip(2);
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (types[i] >= offsets.size()) return std::nullopt;
      rules.changes[i].offset_seconds = offsets[types[i]];
    }
    rules.first_offset_seconds = offsets[0];
    file.skip(header->letters + header->leaps * std::uint64_t{12} + header->standard_marks +
              header->utc_marks);
    const std::string_view footer = file.left();
    if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') return std::nullopt;
    if (footer.size() == 2) return rules;
    rules.last = parse_last_rule(footer.substr(1, footer.size() - 2));
    return rules.last ? std::optional(std::move(rules)) : std::nullopt;
  }
};

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  zone.name_ = name.empty() ? "UTC" : name;
  if (zone.name_ == "UTC") return zone;
  const fs::path path = fs::path(database_folder) / zone.name_;
  if (!is_name(zone.name_)) return unknown_zone(name);
  if (std::error_code failed; !fs::is_regular_file(path, failed)) return unknown_zone(name);
  TRANCHE_ASSIGN(const std::string bytes, read_file(path));
  auto rules = Rules::read(bytes);
  if (!rules) {
    return make_error(ErrorKind::config, fmt::format("{} is no file of a time zone that can be "
                                                     "read", path.string()));
  }
  zone.rules_ = std::make_shared<const Rules>(*std::move(rules));
  return zone;
}

TimeZone::Span TimeZone::span_at(std::int64_t utc_seconds) const {
  Span span;
  if (rules_ == nullptr) return span;
  const auto& changes = rules_->changes;
  const auto next = std::upper_bound(changes.begin(), changes.end(), utc_seconds,
                                     [](std::int64_t at, const auto& change) {
                                       return at < change.at;
                                     });
  if (next == changes.end() && rules_->last) {
    span = rules_->last->span_at(utc_seconds);
    if (!changes.empty()) span.begin_seconds = std::max(span.begin_seconds, changes.back().at);
    return span;
  }
  span.offset_seconds = rules_->first_offset_seconds;
  if (next != changes.begin()) {
    span.begin_seconds = std::prev(next)->at;
    span.offset_seconds = std::prev(next)->offset_seconds;
  }
  if (next != changes.end()) span.end_seconds = next->at;
  return span;
}

std::int64_t TimeZone::first_instant(std::int64_t local_seconds) const {
  std::int64_t at = local_seconds - offset_seconds_max;
  while (true) {
    const Span span = span_at(at);
    const std::int64_t reached = std::max(at, local_seconds - span.offset_seconds);
    if (reached < span.end_seconds) return reached;
    at = span.end_seconds;
  }
}

}  // namespace tranche
