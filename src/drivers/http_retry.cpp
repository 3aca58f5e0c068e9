#include "drivers/http_retry.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds pause_longest = 10min;  // that a server may ask for
constexpr std::size_t shown_bytes = 200;               // of an answer

}  // namespace

bool http_may_pass(int status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

bool http_is_busy(int status) { return status == 429 || status == 503; }

std::chrono::milliseconds http_pause(const HttpReply& reply, const RetryPolicy& retry,
                                     std::uint32_t attempt, std::uint64_t salt) {
  return std::max<std::chrono::milliseconds>(
      retry.wait_after(attempt, salt), std::min(reply.retry_after.value_or(0s), pause_longest));
}

std::string describe_reply(const std::string& name, const HttpReply& reply,
                           const HttpLimits& limits,
                           const std::function<std::string(std::string)>& hide,
                           std::string_view wrong) {
  if (reply.outcome == HttpReply::Outcome::too_long) {
    return fmt::format("{} answers {} with more than {}, `max_answer`.", name, reply.status,
                       format_size(limits.reply_bytes_max));
  }
  if (reply.outcome != HttpReply::Outcome::answered)
    return fmt::format("{} gives no answer: {}.", name, excerpt(hide(reply.failure), shown_bytes));
  std::string text = fmt::format("{} answers {}{}", name, reply.status, wrong);
  const std::string_view body = trim(reply.body);
  if (body.empty()) return text + '.';
  return fmt::format("{}: \"{}\".", text,
                     excerpt(hide(std::string(body.substr(0, 4 * shown_bytes))), shown_bytes));
}

std::string http_advice(const HttpReply& reply) {
  if (reply.failure.find("ertificate") == std::string::npos) return {};
  return " Where its certificate is of an authority of your own, name the file of that in "
         "SSL_CERT_FILE.";
}

}  // namespace tranche
