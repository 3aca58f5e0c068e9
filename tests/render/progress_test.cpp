#include "render/progress.h"

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

// Draws events into a string, as a terminal or a log would get them.
class Watched {
 public:
  explicit Watched(Look look)
      : view_(make_progress_view([this](std::string_view text) { text_ += text; },
                                 [look] { return look; })) {}
  Watched& tell(Event::Kind kind, std::string message = {}, Progress progress = {}) {
    Event event;
    event.kind = kind;
    event.run = "3f9a1c2e55667788";
    event.step = kind == Event::Kind::run_started ? "" : "load";
    event.message = std::move(message);
    event.progress = progress;
    view_->on_event(event);
    return *this;
  }
  // What came since the last time.
  std::string take() { return std::exchange(text_, {}); }
  void end() { view_.reset(); }

 private:
  std::string text_;
  std::unique_ptr<Observer> view_;
};

Look terminal(unsigned columns, bool has_colour = false, bool has_unicode = true) {
  Look look;
  look.is_terminal = true;
  look.has_colour = has_colour;
  look.has_unicode = has_unicode;
  look.columns = columns;
  return look;
}

Progress half_way() {
  Progress made;
  made.records = 1'452'000;
  made.records_committed = 1'452'000;
  made.bytes = 48'000'000;
  made.bytes_total = 100'000'000;
  made.batches_committed = 7;
  made.batches_planned = 15;
  made.plan_complete = true;
  made.rejects = 3;
  made.memory_bytes = 212u << 20;
  made.seconds = 6;
  return made;
}

// The widest line of `text`, escape sequences left out.
std::size_t widest(const std::string& text) {
  std::size_t widest = 0;
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && !(text[i] >= 'A' && text[i] <= 'Z') &&
             !(text[i] >= 'a' && text[i] <= 'z'))
        ++i;
    } else if (text[i] == '\n' || text[i] == '\r') {
      width = 0;
    } else if ((text[i] & 0xC0) != 0x80) {
      widest = std::max(widest, ++width);
    }
  }
  return widest;
}

TEST(ProgressView, ShowsHowManyAreAtWorkAsThatMoves) {
  Watched view(terminal(120));
  Progress now = half_way();
  for (const unsigned workers : {2U, 64U}) {
    now.workers = workers;
    view.tell(Event::Kind::progress, {}, now);
    EXPECT_NE(view.take().find(fmt::format("{} workers", workers)), std::string::npos);
  }
}

TEST(ProgressBar, ShowsWhereTheStepIs) {
  Watched watched(terminal(80));
  watched.tell(Event::Kind::step_started).take();
  watched.tell(Event::Kind::progress, "", half_way());
  const std::string text = watched.take();
  for (const char* part : {"load", "48%", "7 s left", "1,452,000 rows", "242k rows/s",
                           "7/15 batches", "212 MiB", "3 rejects"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(ProgressBar, FitsEveryWidth) {
  for (unsigned columns = 20; columns <= 200; ++columns) {
    Watched watched(terminal(columns, columns % 2 == 0));
    watched.tell(Event::Kind::step_started).take();
    watched.tell(Event::Kind::progress, "", half_way());
    EXPECT_LT(widest(watched.take()), columns);
  }
}

TEST(ProgressBar, IsRedrawnInPlaceAndWarningsStayAboveIt) {
  Watched watched(terminal(80));
  watched.tell(Event::Kind::step_started).take();
  watched.tell(Event::Kind::progress, "", half_way());
  EXPECT_EQ(watched.take().substr(0, 8), "\r\x1b[1A\x1b[J");
  watched.tell(Event::Kind::warning, "The disk is slow.");
  const std::string text = watched.take();
  EXPECT_LT(text.find("The disk is slow."), text.find("48%"));
  watched.end();
  EXPECT_EQ(watched.take(), "\r\x1b[1A\x1b[J");
}

TEST(ProgressBar, HasColoursAndUnicodeOnlyWhereTheyAreWanted) {
  Watched plain(terminal(80, false, false));
  plain.tell(Event::Kind::step_started).tell(Event::Kind::progress, "", half_way());
  const std::string text = plain.take();
  EXPECT_EQ(text.find("\x1b[3"), std::string::npos);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; })) << text;
  Watched coloured(terminal(80, true));
  coloured.tell(Event::Kind::step_started).tell(Event::Kind::progress, "", half_way());
  EXPECT_NE(coloured.take().find("\x1b[32m"), std::string::npos);
}

TEST(ProgressLines, HaveNoCarriageReturnsAndNoEscapes) {
  Watched watched(Look{});
  watched.tell(Event::Kind::run_started, "resumed").tell(Event::Kind::step_started);
  for (int second = 0; second < 20; ++second) {
    Progress now = half_way();
    now.seconds = second;
    watched.tell(Event::Kind::progress, "", now);
  }
  watched.tell(Event::Kind::sealing).tell(Event::Kind::step_completed);
  const std::string text = watched.take();
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.substr(0, text.find('\n')), "run 3f9a1c2e goes on");
  EXPECT_NE(text.find("load: completed: 1,452,000 rows, 3 rejects"), std::string::npos) << text;
}

TEST(ProgressLines, ComeEveryFewSecondsOfTheStep) {
  Watched watched(Look{});
  watched.tell(Event::Kind::step_started).take();
  std::size_t lines = 0;
  for (int tenth = 0; tenth < 220; ++tenth) {
    Progress now = half_way();
    now.seconds = tenth / 10.0;
    watched.tell(Event::Kind::progress, "", now);
    lines += watched.take().empty() ? 0 : 1;
  }
  EXPECT_EQ(lines, 4u);  // at 5, 10, 15 and 20 seconds
}

TEST(Pace, LeavesOutWhatEarlierProcessesDid) {
  Pace pace;
  Progress now = half_way();
  now.records_resumed = 1'000'000;
  now.bytes_resumed = 38'000'000;
  now.seconds = 10;
  pace.update(now);
  EXPECT_DOUBLE_EQ(pace.rows_per_second(), 45'200);
  EXPECT_DOUBLE_EQ(pace.share(), 0.48);
  EXPECT_NEAR(pace.seconds_left(), 52, 1e-6);  // 52 % at 1 % a second
}

TEST(Pace, NeverGoesBackAndNeverPassesTheEnd) {
  Pace pace;
  Progress now = half_way();
  now.records = 2'900'000;  // many in work
  pace.update(now);
  const double share = pace.share();
  EXPECT_GT(share, 0.9);
  now.records = 1'500'000;
  now.seconds = 7;
  pace.update(now);
  EXPECT_EQ(pace.share(), share);
  now.records = 9'000'000;
  pace.update(now);
  EXPECT_EQ(pace.share(), 1.0);
}

}  // namespace
}  // namespace tranche
