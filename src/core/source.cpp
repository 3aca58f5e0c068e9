#include <tranche/core/source.h>

namespace tranche {

Result<void> Source::use_division(const Division& division) {
  if (!division.key.empty()) {
    return make_error(ErrorKind::config,
                      "This source can't be divided by a key; divide it by rows or bytes, as in "
                      "batch: { rows: 100000 }.");
  }
  if (division.window) {
    return make_error(ErrorKind::config,
                      "This source can't be divided by time; divide it by rows or bytes, as in "
                      "batch: { rows: 100000 }.");
  }
  return {};
}

}  // namespace tranche
