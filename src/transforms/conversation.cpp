#include "transforms/conversation.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr auto look_interval = 200ms;      // at what no descriptor tells, and for the watchers
constexpr auto patience_for_exit = 500ms;  // of one that has closed its standard output
constexpr std::chrono::milliseconds patience_at_the_end = 1s;  // of one that is asked no more
constexpr std::size_t answer_bytes_max = std::size_t{256} << 20;
constexpr std::size_t read_bytes = std::size_t{256} << 10;
constexpr std::size_t last_words_bytes = 2048;
constexpr std::chrono::microseconds first_look_at_rest = 20us;  // and then twice as long, ...
constexpr std::chrono::microseconds last_look_at_rest = 64ms;   // ... an eighth of a second in all

std::string in_seconds(std::chrono::milliseconds duration) {
  return fmt::format("{:.3g} s", std::chrono::duration<double>(duration).count());
}

}  // namespace

std::string describe(const Trouble& trouble, std::string_view whom) {
  const std::string_view words = last_line(trouble.last_words);
  if (words.empty()) return fmt::format("{} {}.", whom, trouble.how);
  return fmt::format("{} {}; the last that it wrote to standard error is \"{}\".", whom,
                     trouble.how, excerpt(words, 200));
}

Result<std::unique_ptr<Conversation>> Conversation::begin(const ProgramCall& call,
                                                          const ProgramTimes& times,
                                                          const std::string& log) {
  TRANCHE_ASSIGN(auto program, Program::start(call));
  return std::unique_ptr<Conversation>(new Conversation(std::move(program), times, log));
}

// A program that is at rest hears that there is no more, and may end by itself.
Conversation::~Conversation() {
  if (is_broken_off_) return;
  leave();
  const auto until = Clock::now() + patience_at_the_end;
  while (!program_->has_ended() && Clock::now() < until) {
    hear_errors();
    hear_the_end();
    wait(false, look_interval);
  }
  hear_errors();
}

// What a program still writes when nobody asks it any more: the end of a stream, say.
void Conversation::hear_the_end() {
  room_.resize(read_bytes);
  while (program_->output() >= 0) {
    const ssize_t count = ::read(program_->output(), room_.data(), room_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    if (count == 0) program_->close_output();
  }
}

std::optional<Trouble> Conversation::talk(std::string_view bytes, Answers& answers, End end,
                                          Breadcrumb& beats) {
  std::string greeted;
  if (!is_greeted_ && !answers.greeting().empty()) {
    greeted = answers.greeting();
    greeted += bytes;
    bytes = greeted;
  }
  is_greeted_ = true;
  answers.listen_to(form_);
  since_ = Clock::now();
  bool is_done = answers.is_complete() && end == End::stays;
  while (!is_done) {
    if (!send(bytes)) bytes = {};
    if (bytes.empty() && end == End::leaves) program_->close_input();
    if (auto wrong = hear(answers)) return trouble(*wrong);
    hear_errors();
    beats.beat();
    const bool is_over = program_->output() < 0;
    const bool is_complete = answers.is_complete();
    is_done = is_complete && (end == End::stays || is_over);
    if (is_done) break;
    if (is_over || (program_->has_ended() && heard_.empty())) {
      if (auto wrong = hear(answers)) return trouble(*wrong);
      if (answers.is_complete()) break;
      return end_of_program();
    }
    const auto still = Clock::now() - since_;
    const auto limit = times_.answer + (has_answered_ ? 0ms : times_.startup);
    if (!is_complete && still > limit) return silence();
    // Who has answered all and does not end by itself has done its work.
    const auto patience = answers.asked().empty() ? limit : patience_at_the_end;
    if (is_complete && bytes.empty() && still > patience) break;
    wait(!bytes.empty(), look_interval);
  }
  if (end == End::stays) {
    if (auto wrong = settle(answers)) return trouble(*wrong);
  }
  return std::nullopt;
}

// False: it does not listen any more.
bool Conversation::send(std::string_view& bytes) {
  while (!bytes.empty() && program_->input() >= 0) {
    const ssize_t written = program_->write(bytes);
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      return true;
    } else if (written < 0 && errno != EINTR) {
      program_->close_input();
    }
  }
  return program_->input() >= 0;
}

// What is there to be heard.
std::optional<std::string> Conversation::hear(Answers& answers) {
  while (program_->output() >= 0) {
    room_.resize(read_bytes);
    const ssize_t count = ::read(program_->output(), room_.data(), room_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    heard_.append(room_.data(), static_cast<std::size_t>(count));
    if (count == 0) {
      program_->close_output();
      answers.end_of_output(heard_);
    }
    if (auto wrong = take_answers(answers)) return wrong;
    if (heard_.size() > answer_bytes_max) return "answered with a line, or batch, without an end";
  }
  return std::nullopt;
}

std::optional<std::string> Conversation::take_answers(Answers& answers) {
  const std::string_view all(heard_);
  std::size_t at = 0;
  std::optional<std::string> wrong;
  while (!wrong) {
    const auto bytes = answers.answer_bytes(all.substr(at));
    if (!bytes) wrong = fmt::format("answered with {}", bytes.error().message);
    if (!bytes || *bytes == 0) break;
    wrong = answers.take(all.substr(at, *bytes));
    at += *bytes;
  }
  if (at > 0) {
    since_ = Clock::now();
    has_answered_ = true;
  }
  heard_.erase(0, at);
  return wrong;
}

void Conversation::hear_errors() {
  std::array<char, 8192> buffer;
  while (program_->errors() >= 0) {
    const ssize_t count = ::read(program_->errors(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    if (count == 0) return program_->close_errors();
    const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
    log_.add(text);
    last_words_ += text;
    if (last_words_.size() > 2 * last_words_bytes)
      last_words_.erase(0, last_words_.size() - last_words_bytes);
  }
}

void Conversation::wait(bool has_more, std::chrono::milliseconds longest) {
  const int input = has_more ? program_->input() : -1;  // poll passes over what is negative
  std::array<pollfd, 4> waits{{{input, POLLOUT, 0},
                               {program_->output(), POLLIN, 0},
                               {program_->errors(), POLLIN, 0},
                               {program_->pidfd(), POLLIN, 0}}};
  static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(longest / 1ms)));
}

// An answer too many would be taken for that of the next record, where it has no `_id`: so nothing
// more may come until the program waits for it.
std::optional<std::string> Conversation::settle(Answers& answers) {
  for (auto pause = first_look_at_rest;; pause *= 2) {
    const bool is_at_rest = program_->is_waiting();
    if (auto wrong = hear(answers)) return wrong;
    if (is_at_rest || program_->output() < 0 || pause > last_look_at_rest) return std::nullopt;
    pollfd wait{program_->output(), POLLIN, 0};
    const timespec longest{0, std::chrono::nanoseconds(pause).count()};
    static_cast<void>(::ppoll(&wait, 1, &longest, nullptr));
  }
}

Trouble Conversation::trouble(std::string how) {
  Trouble made;
  made.how = std::move(how);
  is_broken_off_ = true;
  hear_errors();
  made.last_words = last_words_;
  return made;
}

Trouble Conversation::end_of_program() {
  const auto exit = program_->wait(patience_for_exit);
  if (!exit || !*exit) return trouble("closed its standard output before it had answered");
  Trouble made = trouble(describe(**exit) + " before it had answered");
  made.signal = (*exit)->signal;
  made.is_from_outside = is_from_outside(**exit);
  return made;
}

std::optional<Trouble> Conversation::bad_exit() {
  if (program_->output() >= 0) return std::nullopt;
  const auto exit = program_->wait(patience_for_exit);
  if (!exit || !*exit || **exit == Exit{}) return std::nullopt;
  Trouble made = trouble(describe(**exit));
  made.is_from_outside = is_from_outside(**exit);
  return made;
}

Trouble Conversation::silence() {
  const auto limit = times_.answer + (has_answered_ ? 0ms : times_.startup);
  Trouble made = trouble(fmt::format("gave no answer within {}", in_seconds(limit)));
  made.is_silence = true;
  return made;
}

}  // namespace tranche
