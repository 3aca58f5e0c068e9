#include "cli/retention.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"
#include "render/look.h"

namespace tranche {

ForgetOptions Retention::options() const {
  ForgetOptions made;
  if (older_than)
    made.ended_before_microseconds = system_clock().now_microseconds() - older_than->count() * 1000;
  made.state_bytes_max = state_bytes_max;
  return made;
}

Result<Retention> take_retention(const Invocation& invocation, const std::string& older_than,
                                 const std::string& max_size) {
  Retention retention;
  if (invocation.has(older_than)) {
    const std::string text = invocation.value(older_than);
    retention.older_than = parse_duration(text);
    if (!retention.older_than)
      return make_error(ErrorKind::usage, fmt::format("{} {}: a time such as 90d was expected",
                                                      older_than, excerpt(text)));
  }
  if (invocation.has(max_size)) {
    const std::string text = invocation.value(max_size);
    const auto bytes = parse_size(text);
    if (!bytes || *bytes == 0)
      return make_error(ErrorKind::usage, fmt::format("{} {}: a size such as 10GiB was expected",
                                                      max_size, excerpt(text)));
    retention.state_bytes_max = *bytes;
  }
  return retention;
}

void Housekeeping::work() {
  const auto now = system_clock().monotonic();
  if (!retention_.is_bounded() || (worked_at_ && now - *worked_at_ < interval)) return;
  worked_at_ = now;
  for (const fs::path& state : states_) {
    if (!file_exists(state / "ledger.db")) continue;  // nothing has run there yet
    const auto forgotten = forget_runs(state, retention_.options());
    if (!forgotten) {
      tell_(fmt::format("Old runs in {} can't be forgotten just now: {}", state.string(),
                        forgotten.error().message));
    } else if (!forgotten->runs.empty()) {
      tell_(fmt::format("{} of {} {} forgotten; it has {} now",
                        format_number_of(forgotten->runs.size(), "run", "runs"), state.string(),
                        forgotten->runs.size() == 1 ? "was" : "were",
                        format_size(forgotten->bytes_after)));
    }
  }
}

}  // namespace tranche
