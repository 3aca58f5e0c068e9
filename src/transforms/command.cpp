#include "transforms/command.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/process.h"
#include "base/text.h"
#include "transforms/file_digests.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

// What kills programs again and again, and is no record: the kernel, for want of memory.
constexpr int outside_kills_max = 20;
// Pages in which a program fell silent, and no record was to blame.
constexpr int unexplained_silences_max = 3;
constexpr auto look_interval = 200ms;

// What every worker needs of the transform.
struct Definition {
  CommandOptions options;
  ProgramCall call;
  SchemaPtr input;
  SchemaPtr output;

  Error failure(std::string message) const {
    return make_error(ErrorKind::failed, std::move(message), options.place);
  }
  Result<std::unique_ptr<Conversation>> begin(const std::string& log) const {
    auto begun = Conversation::begin(call, options.times, log);
    if (!begun && begun.error().where.empty()) begun.error().where = options.place;
    return begun;
  }
};

// Whether the answers say whose they are. Only then can a program be asked about many records at
// once: else one answer too few and one too many, which make up for each other in number, would
// give those in between to wrong records.
enum class Manner {
  unknown,  // until the first answer
  named,
  ordered,  // at least one answer did not
};

// What the workers of a step share: where there may be fewer programs than workers, the programs.
class Programs {
 public:
  explicit Programs(std::size_t most) : most_(most) {}

  bool are_shared() const { return most_ > 0; }
  // One that is at rest, or the right to begin another one (nullptr); waits while all are in use.
  std::unique_ptr<Conversation> borrow(Breadcrumb& beats) {
    std::unique_lock lock(mutex_);
    while (in_use_ >= most_) {
      given_back_.wait_for(lock, look_interval);
      beats.beat();
    }
    ++in_use_;
    if (idle_.empty()) return nullptr;
    auto conversation = std::move(idle_.back());
    idle_.pop_back();
    return conversation;
  }
  void give_back(std::unique_ptr<Conversation> conversation) {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (conversation) idle_.push_back(std::move(conversation));
    given_back_.notify_one();
  }
  // A program dies with the thread that began it: before any thread ends, those at rest are ended
  // in a better way, and no other thread ends meanwhile. Who still needs one begins another.
  void end_idle() {
    const std::lock_guard lock(mutex_);
    for (const auto& conversation : idle_) conversation->leave();
    idle_.clear();
  }

  // Whether a program has ended well that was given no record.
  std::atomic<bool> is_sound{false};
  // How they answer, as far as is known; docs/programs.md.
  std::atomic<Manner> manner{Manner::unknown};

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Conversation>> idle_;
  std::size_t in_use_ = 0;
};

// The program that a worker talks to for a page: its own, or one of those that are shared.
class Borrowed {
 public:
  Borrowed(Programs& programs, std::unique_ptr<Conversation>& own, Breadcrumb& beats)
      : programs_(programs),
        own_(own),
        conversation_(programs.are_shared() ? programs.borrow(beats) : std::move(own)) {}
  ~Borrowed() {
    if (programs_.are_shared())
      programs_.give_back(std::move(conversation_));
    else
      own_ = std::move(conversation_);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  std::unique_ptr<Conversation>& conversation() { return conversation_; }

 private:
  Programs& programs_;
  std::unique_ptr<Conversation>& own_;
  std::unique_ptr<Conversation> conversation_;
};

class CommandInstance final : public TransformInstance {
 public:
  CommandInstance(std::shared_ptr<const Definition> definition, std::shared_ptr<Programs> programs,
                  WorkerScope& worker)
      : definition_(std::move(definition)),
        programs_(std::move(programs)),
        answers_(definition_->input, definition_->options.columns, definition_->output,
                 definition_->options.format),
        breadcrumb_(worker.breadcrumb()),
        log_(worker.log_prefix().empty() ? "" : worker.log_prefix() + ".log"),
        rejects_enough_(worker.rejects_enough()) {}
  ~CommandInstance() override { programs_->end_idle(); }

  Result<void> process(std::span<const std::unique_ptr<Page>> pages, const PageConsumer& consume,
                       std::vector<Reject>& rejects, StageCounts& counts) override {
    rejects_incomplete_ = false;
    for (const auto& page : pages) {
      counts.in += page->rows();
      answers_.begin(*page);
      signals_.clear();
      {
        Borrowed borrowed(*programs_, own_, breadcrumb_);
        TRANCHE_TRY(ask_about_all(borrowed.conversation()));
      }
      for (const auto& [row, why] : answers_.rejects()) add_reject(*page, row, why, rejects);
      counts.rejected += answers_.rejects().size();
      if (rejects_incomplete_) return {};
      for (std::uint32_t row = 0; row < page->rows();) {
        auto made = answers_.result(row, counts.filtered);
        counts.out += made->rows();
        TRANCHE_TRY(consume(std::move(made)));
      }
    }
    return {};
  }

  bool rejects_incomplete() const override { return rejects_incomplete_; }

 private:
  using Rows = std::vector<std::uint32_t>;

  void add_reject(const Page& page, std::uint32_t row, const std::string& why,
                  std::vector<Reject>& rejects) const {
    Reject reject = reject_row(page, row, "command", why);
    if (const auto found = signals_.find(row); found != signals_.end()) {
      reject.attempts = 2;
      reject.signal = found->second;
    }
    rejects.push_back(std::move(reject));
  }

  Result<void> ask_about_all(std::unique_ptr<Conversation>& conversation) {
    while (!has_rejected_enough()) {
      const Rows waiting = answers_.waiting();
      if (waiting.empty()) return {};
      if (conversation && !conversation->is_alive()) conversation.reset();
      if (!conversation) {
        TRANCHE_ASSIGN(conversation, definition_->begin(log_));
      }
      const auto trouble = ask_about(*conversation, waiting);
      if (!trouble) continue;
      conversation.reset();
      TRANCHE_TRY(find_guilty(*trouble));
    }
    rejects_incomplete_ = true;
    return {};
  }

  // All of them at once, or one after the other, as the program's manner is. Until it is known: the
  // first one.
  std::optional<Trouble> ask_about(Conversation& conversation, const Rows& rows) {
    if (programs_->manner.load() == Manner::named) {
      auto trouble = talk(conversation, rows, Conversation::End::stays);
      learn_manner();
      return trouble;
    }
    for (const std::uint32_t row : rows) {
      auto trouble = talk(conversation, {row}, Conversation::End::stays);
      if (trouble) return trouble;
      learn_manner();
      if (!conversation.is_alive() || programs_->manner.load() == Manner::named) break;
    }
    return std::nullopt;
  }

  void learn_manner() {
    if (!answers_.has_named_all())
      programs_->manner.store(Manner::ordered);
    else if (auto before = Manner::unknown; !answers_.asked().empty())
      programs_->manner.compare_exchange_strong(before, Manner::named);
  }

  // Of the records before the first one that waits: enough to fail the step.
  bool has_rejected_enough() const {
    if (answers_.rejects().size() < rejects_enough_) return false;
    const Rows waiting = answers_.waiting();
    if (waiting.empty()) return false;
    const auto& rejects = answers_.rejects();
    return static_cast<std::uint64_t>(std::distance(
               rejects.begin(), rejects.lower_bound(waiting.front()))) >= rejects_enough_;
  }

  std::optional<Trouble> talk(Conversation& conversation, const Rows& rows, Conversation::End end) {
    const std::string bytes = answers_.ask(rows);
    return conversation.talk(bytes, answers_, end, breadcrumb_);
  }

  // Those that have no answer yet.
  Rows unsettled(std::span<const std::uint32_t> rows) const {
    Rows left;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(left),
                 [&](std::uint32_t row) { return !answers_.is_settled(row); });
    return left;
  }

  // The answer, if there is one, of whom there was trouble with.
  void forget_doubtful() {
    const std::span<const std::uint32_t> asked = answers_.asked();
    if (const std::size_t suspect = answers_.suspect(); suspect < asked.size())
      answers_.forget(asked.subspan(suspect, 1));
  }

  // Whoever is to blame for the trouble is rejected. Who was not reached is left for the next
  // program.
  Result<void> find_guilty(const Trouble& trouble) {
    TRANCHE_TRY(check_soundness());
    const Rows asked(answers_.asked().begin(), answers_.asked().end());
    const std::size_t suspect = answers_.suspect();
    forget_doubtful();
    const std::span<const std::uint32_t> all(asked);
    const std::size_t guilty_before = signals_.size();
    if (suspect < asked.size()) {
      TRANCHE_TRY(try_apart(unsettled(all.first(suspect))));
      TRANCHE_TRY(try_apart({asked[suspect]}));
    }
    // It had come further than its answers tell.
    if (signals_.size() == guilty_before) TRANCHE_TRY(try_in_turn(unsettled(all)));
    if (signals_.size() > guilty_before) return {};
    TRANCHE_TRY(try_apart(unsettled(all)));
    if (signals_.size() > guilty_before || !trouble.is_silence) return {};
    if (++unexplained_silences_ < unexplained_silences_max) return {};
    return definition_->failure(fmt::format(
        "{} None of its records is to blame. Does it write each answer at once (flush standard "
        "output), before it waits for the next record? If it needs longer, give it more "
        "`timeout:`.",
        describe(trouble, "The program")));
  }

  // Has a fresh program answer one record after the other, so that none hides behind another; the
  // first one with which that fails is tried alone.
  Result<void> try_in_turn(const Rows& rows) {
    if (rows.empty()) return {};
    TRANCHE_ASSIGN(auto conversation, definition_->begin(log_));
    for (const std::uint32_t row : rows) {
      if (!talk(*conversation, {row}, Conversation::End::stays)) continue;
      conversation.reset();
      forget_doubtful();
      return try_apart({row});
    }
    return {};
  }

  // Has these records answered by fresh programs that are listened to until their end. Those with
  // whom that fails are halved; who fails alone is guilty.
  Result<void> try_apart(Rows rows) {
    std::vector<Rows> to_try;
    to_try.push_back(std::move(rows));
    int outside_kills = 0;
    while (!to_try.empty()) {
      const Rows group = unsettled(to_try.back());
      to_try.pop_back();
      if (group.empty()) continue;
      TRANCHE_ASSIGN(const auto conversation, definition_->begin(log_));
      const auto trouble = talk(*conversation, group, Conversation::End::leaves);
      if (!trouble) continue;
      forget_doubtful();
      if (trouble->is_from_outside) {  // that proves nothing
        if (++outside_kills > outside_kills_max) return killed_too_often(*trouble);
        to_try.push_back(group);
      } else if (group.size() == 1) {
        answers_.forget(group);
        answers_.reject(group[0], describe(*trouble, "Tried alone, the program"));
        signals_[group[0]] = trouble->signal;
      } else {
        const auto middle = group.begin() + static_cast<std::ptrdiff_t>(group.size() / 2);
        to_try.emplace_back(middle, group.end());
        to_try.emplace_back(group.begin(), middle);
      }
    }
    return {};
  }

  Error killed_too_often(const Trouble& trouble) const {
    return definition_->failure(
        fmt::format("{} That happened {} times, from outside: perhaps by the kernel for want of "
                    "memory. No record was rejected for it.",
                    describe(trouble, "The program"), outside_kills_max));
  }

  // No record is to blame for a program that fails without any.
  Result<void> check_soundness() {
    if (programs_->is_sound.load()) return {};
    TRANCHE_ASSIGN(const auto conversation, definition_->begin(log_));
    Answers nobody(definition_->input, definition_->options.columns, definition_->output,
                   definition_->options.format);
    const Page no_records(definition_->input, 1);
    nobody.begin(no_records);
    nobody.ask({});
    auto trouble = conversation->talk({}, nobody, Conversation::End::leaves, breadcrumb_);
    if (!trouble) trouble = conversation->bad_exit();
    if (trouble && !trouble->is_from_outside) {
      return definition_->failure(
          fmt::format("{} It does so without any record.", describe(*trouble, "The program")));
    }
    programs_->is_sound.store(true);
    return {};
  }

  std::shared_ptr<const Definition> definition_;
  std::shared_ptr<Programs> programs_;
  std::unique_ptr<Conversation> own_;
  Answers answers_;
  Breadcrumb& breadcrumb_;
  std::string log_;
  std::uint64_t rejects_enough_;
  bool rejects_incomplete_ = false;
  int unexplained_silences_ = 0;
  std::map<std::uint32_t, int> signals_;  // of the guilty; 0: none killed the program
};

// Where `import tranche` finds the helper for Python; empty: it was not installed.
fs::path python_folder() {
  const fs::path program = fs::path(executable_path()).parent_path();
  for (const fs::path& prefix : {program.parent_path(), program}) {
    fs::path folder = prefix / "share" / "tranche" / "python";
    if (file_exists(folder / "tranche.py")) return folder;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> program_environment() {
  std::vector<std::pair<std::string, std::string>> values;
  // Else Python keeps answers to itself until there are many.
  if (std::getenv("PYTHONUNBUFFERED") == nullptr) values.emplace_back("PYTHONUNBUFFERED", "1");
  if (const fs::path folder = python_folder(); !folder.empty()) {
    const char* const before = std::getenv("PYTHONPATH");
    const bool has_before = before != nullptr && *before != '\0';
    values.emplace_back(
        "PYTHONPATH", has_before ? fmt::format("{}:{}", folder.string(), before) : folder.string());
  }
  return values;
}

class CommandTransform final : public Transform {
 public:
  explicit CommandTransform(CommandOptions options)
      : definition_(std::make_shared<Definition>()),
        programs_(std::make_shared<Programs>(options.programs_max)) {
    definition_->call = {options.arguments, options.base, program_environment()};
    definition_->options = std::move(options);
  }

  std::string name() const override { return "command"; }
  Scope scope() const override { return Scope::chunk; }
  std::uint64_t text_chunk_bytes() const override { return std::uint64_t{128} << 10; }

  Result<SchemaPtr> bind(SchemaPtr input, WorkerScope&) override {
    Definition& of = *definition_;
    of.input = std::move(input);
    auto output = columns_behind_program(*of.input, of.options.columns, of.options.format);
    if (!output) return placed(std::move(output).error());
    const auto found = find_program(of.options.arguments.front(), of.options.base);
    if (!found) return placed(found.error());
    of.output = *std::move(output);
    return of.output;
  }

  Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const override {
    return std::unique_ptr<TransformInstance>(
        std::make_unique<CommandInstance>(definition_, programs_, worker));
  }

  // The program, the files among its arguments, and what else it is said to depend on.
  Result<std::string> fingerprint() const override {
    const CommandOptions& options = definition_->options;
    TRANCHE_ASSIGN(fs::path program, find_program(options.arguments.front(), options.base));
    std::vector<fs::path> files{std::move(program)};
    for (std::size_t i = 1; i < options.arguments.size(); ++i) {
      fs::path file = options.base / options.arguments[i];
      const auto status = file_status(file);
      if (status && status->is_regular) files.push_back(std::move(file));
    }
    for (const std::string& pattern : options.depends_on) {
      auto found = expand_glob(pattern, options.base);
      if (!found) return placed(std::move(found).error());
      files.insert(files.end(), found->begin(), found->end());
    }
    auto print = fingerprint_files(files, options.base);
    if (!print) return placed(std::move(print).error());
    return print;
  }

 private:
  Error placed(Error error) const {
    if (error.where.empty()) error.where = definition_->options.place;
    return error;
  }

  std::shared_ptr<Definition> definition_;
  std::shared_ptr<Programs> programs_;
};

}  // namespace

Result<std::unique_ptr<Transform>> make_command_transform(CommandOptions options) {
  if (options.arguments.empty() || options.arguments.front().empty())
    return make_error(ErrorKind::config, "\"command\" names no program", options.place);
  return std::unique_ptr<Transform>(std::make_unique<CommandTransform>(std::move(options)));
}

}  // namespace tranche
