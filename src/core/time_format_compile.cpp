// The text of a time format -> its parts, and whether they make sense together.
#include <fmt/format.h>

#include "base/text.h"
#include "core/time_format.h"

namespace tranche {

struct TimeFormat::Letter {
  char letter;
  Part part;
  std::uint8_t digits;  // of a number, else 0
  bool takes_dash;      // %-d: without zeros in front
};

class TimeFormat::Compiler {
 public:
  Compiler(std::string_view text, Use use) : text_(text), use_(use) {}

  Result<TimeFormat> compile() {
    if (text_.empty()) return wrong("is empty; write one like {}", example());
    if (text_.size() > text_bytes_max) {
      return wrong("is longer than {} characters", text_bytes_max);
    }
    for (at_ = 0; at_ < text_.size();) {
      TRANCHE_TRY(text_[at_] == '%' ? add_letter() : add_literal(text_.substr(at_++, 1)));
    }
    if (is_read()) TRANCHE_TRY(check_whole());
    allow_long_years();
    made_.text_ = text_;
    made_.has_zone_ = seen(Part::zone) > 0;
    return std::move(made_);
  }

 private:
  bool is_read() const { return use_ == Use::read_date || use_ == Use::read_timestamp; }
  bool is_date() const { return use_ == Use::read_date || use_ == Use::write_date; }
  const char* example() const { return is_date() ? "%d.%m.%Y" : "%d.%m.%Y %H:%M:%S"; }

  template <class... Arguments>
  Error wrong(fmt::format_string<Arguments...> what, Arguments&&... arguments) const {
    return make_error(ErrorKind::config,
                      fmt::format("The format \"{}\" {}.", excerpt(text_, text_bytes_max),
                                  fmt::format(what, std::forward<Arguments>(arguments)...)));
  }

  static const Letter* find_letter(char letter) {
    static constexpr Letter letters[] = {
        {'Y', Part::year, 4, false},          {'y', Part::year_of_century, 2, false},
        {'m', Part::month, 2, true},          {'B', Part::month_name, 0, false},
        {'b', Part::month_short, 0, false},   {'d', Part::day, 2, true},
        {'j', Part::day_of_year, 3, true},    {'u', Part::weekday, 1, false},
        {'A', Part::weekday_name, 0, false},  {'a', Part::weekday_short, 0, false},
        {'H', Part::hour, 2, true},           {'I', Part::hour_of_twelve, 2, true},
        {'p', Part::half_of_day, 0, false},   {'M', Part::minute, 2, true},
        {'S', Part::second, 2, true},         {'f', Part::microsecond, 6, false},
        {'g', Part::millisecond, 3, false},   {'z', Part::zone, 0, false},
    };
    for (const Letter& known : letters) {
      if (known.letter == letter) return &known;
    }
    return nullptr;
  }

  // At a percent sign.
  Result<void> add_letter() {
    const std::size_t begin = at_++;
    const bool has_dash = at_ < text_.size() && text_[at_] == '-';
    if (has_dash) ++at_;
    if (at_ == text_.size()) {
      return wrong("ends at character {} within a letter; a percent sign is written %%", at_);
    }
    const char letter = text_[at_++];
    const std::string_view written = text_.substr(begin, at_ - begin);
    if (written == "%%") return add_literal("%");
    if (written == "%F") return add_all("Y-m-d", begin);
    if (written == "%T") return add_all("H:M:S", begin);
    const Letter* const known = find_letter(letter);
    if (known == nullptr || (has_dash && !known->takes_dash)) {
      return wrong("has \"{}\" at character {}, which is no letter of formats; there are %Y %y %m "
                   "%b %B %d %j %a %A %u %H %I %p %M %S %f %g %z %F %T %%, and %-d %-m %-H %-I "
                   "%-M %-S %-j", excerpt(written), begin + 1);
    }
    return add(*known, !has_dash, begin);
  }

  // Letters and literal text by turns.
  Result<void> add_all(std::string_view pattern, std::size_t begin) {
    for (const char c : pattern) {
      const Letter* const known = find_letter(c);
      TRANCHE_TRY(known == nullptr ? add_literal({&c, 1}) : add(*known, true, begin));
    }
    return {};
  }

  Result<void> add(const Letter& letter, bool is_padded, std::size_t begin) {
    if (is_date() && letter.part >= Part::hour) {
      return wrong("has %{} at character {}, but a date has no time", letter.letter, begin + 1);
    }
    if (is_read()) {
      if (is_open_ended_ && letter.digits > 0) {
        return wrong("has a number at character {} right behind one of varying length, so that "
                     "nobody knows where it begins", begin + 1);
      }
      for (const Part same : same_as(letter.part)) {
        if (seen(same) == 0) continue;
        return wrong("says at character {} again what it says at character {}", begin + 1,
                     seen(same));
      }
    }
    is_open_ended_ = !is_padded || letter.part == Part::microsecond;
    first_[static_cast<std::size_t>(letter.part)] = begin + 1;
    made_.items_.push_back({letter.part, is_padded, letter.digits});
    return {};
  }

  Result<void> add_literal(std::string_view bytes) {
    if (is_read() && is_open_ended_ && value_detail::digit(bytes[0]) <= 9) {
      return wrong("has a digit right behind a number of varying length, so that nobody knows "
                   "where that ends");
    }
    is_open_ended_ = false;
    if (made_.items_.empty() || made_.items_.back().part != Part::literal) {
      made_.items_.push_back({.begin = static_cast<std::uint8_t>(made_.literals_.size())});
    }
    made_.literals_ += bytes;
    ++made_.items_.back().length;
    return {};
  }

  // A year of more than four digits has a sign, as in ISO 8601, where it is clear how it ends.
  void allow_long_years() {
    for (std::size_t i = 0; i < made_.items_.size(); ++i) {
      if (made_.items_[i].part != Part::year) continue;
      const Item* const next = i + 1 < made_.items_.size() ? &made_.items_[i + 1] : nullptr;
      const bool is_followed =
          next != nullptr && (next->part == Part::literal
                                  ? value_detail::digit(made_.literals_[next->begin]) <= 9
                                  : next->digits > 0);
      if (!is_followed) made_.items_[i].digits = 7;
    }
  }

  // The parts that say what `part` says.
  static std::span<const Part> same_as(Part part) {
    static constexpr Part groups[][3] = {
        {Part::year, Part::year_of_century, Part::year},
        {Part::month, Part::month_name, Part::month_short},
        {Part::weekday, Part::weekday_name, Part::weekday_short},
        {Part::hour, Part::hour_of_twelve, Part::hour},
        {Part::microsecond, Part::millisecond, Part::microsecond},
        {Part::day, Part::day, Part::day},
        {Part::day_of_year, Part::day_of_year, Part::day_of_year},
        {Part::half_of_day, Part::half_of_day, Part::half_of_day},
        {Part::minute, Part::minute, Part::minute},
        {Part::second, Part::second, Part::second},
        {Part::zone, Part::zone, Part::zone},
    };
    for (const auto& group : groups) {
      for (const Part member : group) {
        if (member == part) return group;
      }
    }
    return {};
  }

  std::size_t seen(Part part) const { return first_[static_cast<std::size_t>(part)]; }
  bool says(Part part) const {
    for (const Part same : same_as(part)) {
      if (seen(same) > 0) return true;
    }
    return false;
  }

  // Whether the parts say one day, and one time of it.
  Result<void> check_whole() const {
    if (!says(Part::year)) return wrong("has no year: %Y, or %y for two digits");
    if (says(Part::day_of_year)) {
      if (says(Part::month) || says(Part::day)) {
        return wrong("has both %j, the day of the year, and a month or a day of one");
      }
    } else if (!says(Part::month) || !says(Part::day)) {
      return wrong("has no {}", says(Part::day) ? "month: %m, %b or %B" : "day: %d");
    }
    const bool is_of_twelve = seen(Part::hour_of_twelve) > 0;
    if (is_of_twelve != says(Part::half_of_day)) {
      return wrong("has {}", is_of_twelve ? "%I, an hour of twelve, without %p (AM or PM)"
                                          : "%p (AM or PM) without %I, an hour of twelve");
    }
    constexpr Part order[] = {Part::hour, Part::minute, Part::second, Part::microsecond};
    constexpr const char* names[] = {"hour", "minute", "second", "fraction of a second"};
    for (std::size_t i = 1; i < std::size(order); ++i) {
      if (says(order[i]) && !says(order[i - 1])) {
        return wrong("has a {} without a {}", names[i], names[i - 1]);
      }
    }
    return {};
  }

  const std::string_view text_;
  const Use use_;
  TimeFormat made_;
  std::size_t at_ = 0;
  bool is_open_ended_ = false;  // what comes before is a number of varying length
  std::size_t first_[static_cast<std::size_t>(Part::zone) + 1] = {};  // where each stands, from 1
};

Result<TimeFormat> TimeFormat::compile(std::string_view text, Use use) {
  return Compiler(text, use).compile();
}

}  // namespace tranche
