// What may pass when a web service is called, when to call again, and what people are told of it.
//
// Threads: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <tranche/core/policy.h>

#include "drivers/http_calls.h"

namespace tranche {

// Of statuses: 408, 425, 429 and 5xx.
bool http_may_pass(int status);
// It has too much to do: 429, 503.
bool http_is_busy(int status);
// How long to wait after the attempt of this number, from 1: as the policy says, or as long as the
// service asks for, within reason. `salt`: as in RetryPolicy.
std::chrono::milliseconds http_pause(const HttpReply& reply, const RetryPolicy& retry,
                                     std::uint32_t attempt, std::uint64_t salt);
// "POST https://scores.internal/v1/score answers 404: \"no such item\"." `name`: of the call.
// `limits`: those that it was made with. `hide`: gives a text without secrets. `wrong`: a sentence
// part that goes behind the status of an answer.
std::string describe_reply(const std::string& name, const HttpReply& reply,
                           const HttpLimits& limits,
                           const std::function<std::string(std::string)>& hide,
                           std::string_view wrong = {});
// What to do about a server that is refused; empty: nothing is known.
std::string http_advice(const HttpReply& reply);

}  // namespace tranche
