#include "base/system_error.h"

#include <cstring>

#include <fmt/format.h>

namespace tranche {

std::string reason(int error_number) {
  const char* text = ::strerrordesc_np(error_number);  // unlike strerror: thread-safe
  return text != nullptr ? std::string(text) : fmt::format("error {}", error_number);
}

Error system_error(ErrorKind kind, std::string_view verb, std::string_view subject,
                   int error_number) {
  const std::string_view space = subject.empty() ? "" : " ";
  return make_error(kind,
                    fmt::format("Can't {}{}{}: {}.", verb, space, subject, reason(error_number)));
}

}  // namespace tranche
