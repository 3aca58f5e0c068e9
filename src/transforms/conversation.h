// One program, from its start to its end: it is sent records and its answers are read, both at
// once, so that neither side ever waits for the other to empty a pipe.
//
// Threads: belongs to one thread at a time. Lifetime: the destructor ends the program.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/breadcrumb.h>

#include "base/program.h"
#include "transforms/answers.h"

namespace tranche {

struct ProgramTimes {
  std::chrono::milliseconds startup{0};  // more for the first answer
  std::chrono::milliseconds answer{0};   // between one answer and the next
};

// How a conversation came to a bad end.
struct Trouble {
  std::string how;  // "was killed by signal 11 (SIGSEGV)": behind "The program"
  int signal = 0;
  bool is_from_outside = false;  // whoever killed it, it was not the record
  bool is_silence = false;       // there was no answer in time
  std::string last_words;        // the end of its standard error
};
// One sentence about `whom`, with its last words.
std::string describe(const Trouble& trouble, std::string_view whom);

class Conversation {
 public:
  // `log`: where its standard error goes; empty: nowhere.
  static Result<std::unique_ptr<Conversation>> begin(const ProgramCall& call,
                                                     const ProgramTimes& times,
                                                     const std::string& log);
  ~Conversation();
  // Tells it that there is no more, ahead of the destructor, which waits a little for its end.
  void leave() { program_->close_input(); }

  enum class End {
    stays,   // more will be asked
    leaves,  // its standard input is closed, and what it says is heard to the end
  };
  // Sends `bytes`, what `answers` asks, and has `answers` take what comes; nullopt: all is well.
  // `beats` grows meanwhile.
  std::optional<Trouble> talk(std::string_view bytes, Answers& answers, End end, Breadcrumb& beats);
  // Of one that was told that there is no more: what is wrong with how it ended. One that has not
  // ended is in no trouble.
  std::optional<Trouble> bad_exit();
  // Whether it can be asked again.
  bool is_alive() const { return !program_->has_ended() && program_->output() >= 0; }

 private:
  using Clock = std::chrono::steady_clock;
  Conversation(std::unique_ptr<Program> program, const ProgramTimes& times, const std::string& log)
      : program_(std::move(program)), times_(times), log_(log) {}

  bool send(std::string_view& bytes);
  std::optional<std::string> hear(Answers& answers);
  std::optional<std::string> take_answers(Answers& answers);
  void hear_errors();
  void hear_the_end();
  void wait(bool has_more, std::chrono::milliseconds longest);
  std::optional<std::string> settle(Answers& answers);
  Trouble trouble(std::string how);
  Trouble end_of_program();
  Trouble silence();

  std::unique_ptr<Program> program_;
  ProgramTimes times_;
  BoundedLog log_;
  std::string room_;   // for what is read
  std::string heard_;  // what is not a whole answer yet
  AnswerForm form_;    // of its answers
  std::string last_words_;
  bool has_answered_ = false;
  bool is_broken_off_ = false;  // there was trouble: it is not waited for
  bool is_greeted_ = false;
  Clock::time_point since_;  // the last answer
};

}  // namespace tranche
