#include "api/aside.h"

#include <utility>

#include "api/summary.h"

namespace tranche {
namespace {

Result<void> send_answer(Channel& channel, const Result<Json>& answer) {
  Json frame;
  if (answer)
    frame.set("answer", *answer);
  else
    frame.set("error", error_to_json(answer.error()));
  return channel.send(frame.dump());
}

Result<Json> receive_answer(Channel& channel) {
  TRANCHE_ASSIGN(const auto frame, channel.receive());
  if (!frame) {
    return make_error(ErrorKind::crash,
                      "The process that looks at the databases died before it had answered.");
  }
  TRANCHE_ASSIGN(Json json, Json::parse(frame->bytes));
  if (!json["error"].is_null()) return error_from_json(json["error"].text());
  return json["answer"];
}

}  // namespace

Result<Json> ask_aside(const Question& question) {
  TRANCHE_ASSIGN(auto ends, Channel::create());
  TRANCHE_ASSIGN(auto child, Child::fork([&] {
                   ends.first.close();
                   return send_answer(ends.second, question()) ? 0 : 1;
                 }));
  ends.second.close();
  auto answer = receive_answer(ends.first);
  TRANCHE_TRY(child.wait(std::nullopt));
  return answer;
}

Result<Json> ask_here(const Question& question) { return question(); }

Result<Holder> Holder::start_here(const std::function<Result<Held>()>& question) {
  TRANCHE_ASSIGN(auto held, question());
  return Holder(std::move(held));
}

Result<Holder> Holder::start(const std::function<Result<Held>()>& question) {
  TRANCHE_ASSIGN(auto ends, Channel::create());
  // Of its own group: a Ctrl-C ends the run at the next batch, which still reads what is held.
  TRANCHE_ASSIGN(auto child, Child::fork(
                                 [&] {
                                   ends.first.close();
                                   const auto held = question();
                                   const auto sent =
                                       send_answer(ends.second, held ? Result<Json>(held->answer)
                                                                     : Result<Json>(held.error()));
                                   if (!held || !sent) return 1;
                                   static_cast<void>(ends.second.receive());  // until it is closed
                                   return 0;
                                 },
                                 Child::Group::own));
  ends.second.close();
  TRANCHE_ASSIGN(Json answer, receive_answer(ends.first));
  return Holder(std::move(ends.first), std::move(child), std::move(answer));
}

}  // namespace tranche
