#include "jobfile/load.h"

#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "base/file.h"

namespace tranche {
namespace {

constexpr std::string_view good_job_text = R"yaml(job: sales
description: Loads a day's sales.
params: { day: date, limit: { type: integer, default: 5 } }
memory: 256MiB
steps:
  - name: load
    read:
      csv: "data/sales-${day}.csv"
      columns: { id: bigint, price: "decimal(12,2)" }
      null: [NA]
    batch: { rows: 1000, bytes: 64MiB }
    process:
      - sql: SELECT id, $day AS day FROM batch
        tables: { rates: { csv: rates.csv } }
    on_error:
      max_rejects: 0.1%
      retry: { attempts: 5, backoff: 2s, max_backoff: 1m }
      rejects: out/${limit}-$$.jsonl
    workers: { threads: 3 }
    write: { csv: out.csv }
)yaml";

Result<JobSpec> parse(std::string_view text, std::vector<GivenParameter> given,
                      Problems& problems) {
  return parse_job(text, "jobs/sales.yaml", given, problems);
}

// What the errors of `text` look like.
std::string errors_of(std::string_view text, std::vector<GivenParameter> given = {}) {
  Problems problems;
  auto job = parse(text, std::move(given), problems);
  EXPECT_EQ(job.has_value(), problems.empty());
  return format_problems("job.yaml", problems);
}

fs::path source_folder() {
  const char* given = std::getenv("TRANCHE_SOURCE_DIR");
  return given != nullptr ? fs::path(given) : fs::path("../../..");
}

std::string step_with(std::string_view line) {
  return fmt::format(
      "job: a\nsteps:\n  - name: s\n    read: {{ csv: in.csv }}\n"
      "    write: {{ csv: out.csv }}\n    {}\n",
      line);
}

TEST(JobFile, BecomesAJobWithEverythingThatItSays) {
  Problems problems;
  const auto job = parse(good_job_text, {{"day", "2026-01-31"}}, problems);
  ASSERT_TRUE(job) << format_problems("job.yaml", problems);
  EXPECT_EQ(job->name, "sales");
  EXPECT_EQ(job->base, "jobs");
  EXPECT_EQ(job->memory_bytes, 256u << 20);
  ASSERT_EQ(job->parameters.size(), 2u);
  EXPECT_EQ(job->parameters[0].text, "2026-01-31");
  EXPECT_EQ(job->parameters[1].text, "5");
  ASSERT_EQ(job->steps.size(), 1u);
  const StepSpec& step = job->steps[0];
  EXPECT_EQ(step.read.connector, "csv");
  EXPECT_EQ(step.read.options.find("csv")->text, "data/sales-2026-01-31.csv");
  EXPECT_EQ(step.division.rows, 1000u);
  EXPECT_EQ(step.division.bytes, 64u << 20);
  ASSERT_EQ(step.process.size(), 1u);
  EXPECT_EQ(step.process[0].options.find("sql")->text, "SELECT id, $day AS day FROM batch");
  EXPECT_TRUE(step.reject_limit.is_share);
  EXPECT_EQ(step.reject_limit.millionths, 1000u);
  EXPECT_EQ(step.retry.attempts, 5u);
  EXPECT_EQ(step.retry.backoff, std::chrono::seconds(2));
  EXPECT_EQ(step.retry.backoff_max, std::chrono::minutes(1));
  EXPECT_EQ(step.rejects_path, "out/5-$.jsonl");
  EXPECT_EQ(step.workers.kind, WorkersSpec::Kind::threads);
  EXPECT_EQ(step.workers.count, 3u);
  EXPECT_EQ(step.write.connector, "csv");
  EXPECT_EQ(step.mark.line, 6);
}

TEST(JobFile, GivesTheBoundsOfItsWindowToTheParameters) {
  const std::string text = R"(job: nightly
params:
  day: { type: date, default: window_start }
  until: { type: timestamp, default: window_end }
  region: { type: varchar, default: eu }
schedule: { every: 1 day, at: "02:30", timezone: Europe/Berlin, from: 2026-01-01, catch_up: 7,
            delay: 0s, failures_max: 5, retry_delay: 1m, on_failure: [mail, ops] }
steps:
  - name: load
    read: { csv: "in-${day}.csv" }
    write: { csv: out.csv }
)";
  Problems problems;
  const auto job = parse_job(text, "nightly.yaml", {}, problems, [](const Timetable& timetable) {
    return timetable.find("2026-03-29");
  });
  ASSERT_TRUE(job) << format_problems("nightly.yaml", problems);
  std::vector<std::string> parameters;
  for (const Parameter& parameter : job->parameters)
    parameters.push_back(parameter.name + "=" + parameter.text);
  EXPECT_EQ(parameters, (std::vector<std::string>{"day=2026-03-29", "until=2026-03-30T00:00:00",
                                                  "region=eu", "window_start=2026-03-28T23:00:00Z",
                                                  "window_end=2026-03-29T22:00:00Z"}));
  EXPECT_EQ(job->steps[0].read.options.find("csv")->text, "in-2026-03-29.csv");
  EXPECT_EQ(job->window->name, "2026-03-29");
  EXPECT_EQ(job->window->variant, "");
  EXPECT_EQ(job->schedule->at, std::chrono::minutes(150));
  EXPECT_EQ(job->schedule->catch_up, 7U);
  EXPECT_EQ(job->schedule->failures_max, 5U);
  EXPECT_EQ(job->schedule->retry_delay, std::chrono::minutes(1));
  EXPECT_EQ(job->schedule->on_failure, (std::vector<std::string>{"mail", "ops"}));
}

TEST(JobFile, TellsWhatWasGivenByHandApartFromTheWindow) {
  const std::string text = R"(job: nightly
params: { store: integer, window_start: date }
schedule: { every: 1 day, from: 2026-01-01 }
steps:
  - name: load
    read: { csv: in.csv }
    write: { csv: out.csv }
)";
  Problems problems;
  const std::vector<GivenParameter> given{{"store", "5"}};
  const auto first = [](const Timetable& timetable) -> Result<TimeWindow> {
    return timetable.first();
  };
  const auto job = parse_job(text, "nightly.yaml", given, problems, first);
  ASSERT_TRUE(job) << format_problems("nightly.yaml", problems);
  EXPECT_EQ(job->window->variant, "store=5");
  EXPECT_EQ(job->parameters[1].text, "2026-01-01") << "a bound may have a type of its own";
  EXPECT_EQ(job->parameters.size(), 3U);
}

TEST(JobFile, ReportsTheErrorsThatTheGoldenFilesShow) {
  ::unsetenv("TRANCHE_TEST_UNSET");
  const fs::path golden = source_folder() / "tests/jobfile/golden";
  std::size_t compared = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(golden)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text = read_file(entry.path());
    ASSERT_TRUE(text);
    fs::path expected = entry.path();
    const auto wanted = read_file(expected.replace_extension(".txt"));
    EXPECT_EQ(errors_of(*text), wanted ? *wanted : "no golden file") << entry.path();
    ++compared;
  }
  EXPECT_GE(compared, 14u);
}

TEST(JobFile, SaysWhichParameterHasNoValueAndHowToGiveOne) {
  EXPECT_EQ(errors_of(good_job_text),
            "The parameter \"day\" (date) has no value; give it with -p day=...\n");
}

TEST(JobFile, ChecksGivenParametersByTypeAndSuggestsTheName) {
  const std::string said = errors_of(good_job_text, {{"day", "31.1.2026"}, {"limt", "3"}});
  EXPECT_NE(said.find("\"31.1.2026\" is not a date"), std::string::npos) << said;
  EXPECT_NE(said.find("The job has no parameter \"limt\"; did you mean \"limit\"?"),
            std::string::npos)
      << said;
}

TEST(JobFile, ReplacesVariablesOfTheEnvironment) {
  ::setenv("TRANCHE_TEST_FOLDER", "warehouse", 1);
  Problems problems;
  const auto job = parse(step_with("on_error: { rejects: \"${env:TRANCHE_TEST_FOLDER}/r.jsonl\" }"),
                         {}, problems);
  ASSERT_TRUE(job) << format_problems("job.yaml", problems);
  EXPECT_EQ(job->steps[0].rejects_path, "warehouse/r.jsonl");
}

TEST(JobFile, TakesAnchorsAliasesAndMergeKeys) {
  Problems problems;
  const auto job = parse(
      "job: a\nsteps:\n"
      "  - name: one\n    read: &in { csv: in.csv, header: false }\n"
      "    on_error: &policy { max_rejects: 7 }\n    write: { csv: a.csv }\n"
      "  - name: two\n    read: { <<: *in, csv: other.csv }\n"
      "    on_error: *policy\n    write: { csv: b.csv }\n",
      {}, problems);
  ASSERT_TRUE(job) << format_problems("job.yaml", problems);
  EXPECT_EQ(job->steps[1].reject_limit.number, 7u);
  EXPECT_EQ(job->steps[1].read.options.find("csv")->text, "other.csv");
  EXPECT_EQ(job->steps[1].read.options.find("header")->text, "false");
}

TEST(JobFile, CountsColumnsInCharacters) {
  EXPECT_EQ(errors_of(step_with("\"\u00e4\u00f6\": 1, x: 2")).substr(0, 11), "job.yaml:6:");
  const std::string said = errors_of("job: a\nsteps: [{ name: \u00e4\u00f6\u00fc, wrong: 1 }]\n");
  EXPECT_NE(said.find("job.yaml:2:22: Unknown key \"wrong\""), std::string::npos) << said;
}

TEST(JobFile, ReadsAByteOrderMarkAndCarriageReturns) {
  std::string text = "\xEF\xBB\xBF" + step_with("workers: 2");
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\r\n");
  EXPECT_EQ(errors_of(text), "");
}

TEST(JobFile, RefusesBytesThatAreNotText) {
  EXPECT_EQ(errors_of("job: a\nsteps: \xFF\n"),
            "job.yaml:2:8: Byte 14 is not UTF-8 text; save the file as UTF-8.\n");
  EXPECT_EQ(errors_of(std::string_view("job: \0", 6)),
            "job.yaml:1:6: Byte 5 is not UTF-8 text; save the file as UTF-8.\n");
}

TEST(JobFile, BoundsWhatAliasesUnfoldTo) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    text += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 9; ++k) text += fmt::format("{}*a{}", k > 0 ? ", " : "", i - 1);
    text += "]\n";
  }
  EXPECT_NE(errors_of(text).find("The aliases unfold to more than 100,000 values"),
            std::string::npos);
}

TEST(JobFile, SurvivesAnyNesting) {
  for (const char* bracket : {"[", "{ a: ", "- ", "? "}) {
    std::string text = "job: ";
    if (bracket[0] == '-' || bracket[0] == '?') text.clear();
    for (int i = 0; i < 20'000; ++i) text += bracket;
    EXPECT_NE(errors_of(text), "") << bracket;
  }
}

// Mutations of a good job: whatever the bytes, there is an answer and no crash.
TEST(JobFile, SurvivesAnyBytes) {
  std::uint64_t state = 42;
  const auto next = [&state](std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  constexpr std::string_view yaml_pieces = "{}[]:,-\"'|>&*!%@`#?$\n\t ~<=ab0\xC3\xA9\xFF";
  std::size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text(good_job_text);
    for (std::uint64_t edits = 1 + next(8); edits > 0; --edits) {
      const std::size_t at = next(text.size());
      switch (next(3)) {
        case 0:
          text[at] = yaml_pieces[next(yaml_pieces.size())];
          break;
        case 1:
          text.erase(at, 1 + next(20));
          break;
        default:
          text.insert(at, 1, yaml_pieces[next(yaml_pieces.size())]);
      }
      if (text.empty()) text = "x";
    }
    Problems problems;
    const auto job = parse(text, {{"day", "2026-01-31"}}, problems);
    EXPECT_EQ(job.has_value(), problems.empty());
    refused += job ? 0 : 1;
  }
  EXPECT_GT(refused, 1000u);
}

TEST(JobFile, IsNamedWhenItIsMissingOrAFolder) {
  Problems problems;
  const auto missing = load_job("no/such/job.yaml", {}, problems);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("no/such/job.yaml"), std::string::npos);
  EXPECT_EQ(missing.error().kind, ErrorKind::config);
  const auto folder = load_job(fs::temp_directory_path(), {}, problems);
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find("is a folder"), std::string::npos);
}

TEST(Workers, AreReadFromTheCommandLineAsFromTheFile) {
  using Kind = WorkersSpec::Kind;
  EXPECT_EQ(*parse_workers("auto"), WorkersSpec{});
  EXPECT_EQ(*parse_workers("{ threads: auto }"), WorkersSpec{});
  EXPECT_EQ(*parse_workers("4"), (WorkersSpec{Kind::threads, 4}));
  EXPECT_EQ(*parse_workers("{ threads: 2, timeout: 5s }"),
            (WorkersSpec{Kind::threads, 2, 0, std::chrono::seconds(5)}));
  EXPECT_EQ(*parse_workers("{ processes: 2, memory: 64MiB, timeout: 5m, cpu_time: 1m, "
                           "recycle: 100 }"),
            (WorkersSpec{Kind::processes, 2, 64 << 20, std::chrono::minutes(5),
                         std::chrono::minutes(1), 100}));
  for (const char* wrong :
       {"0", "-1", "many", "{ threads: x }", "{ }", "{ processes: auto }", "{ processes: 0 }",
        "{ processes: 2, threads: 2 }", "{ threads: 2, memory: 1GiB }", "{ timeout: 5s }",
        "{ threads: 2, timeout: soon }", "{ processes: 2000 }", "[", ""})
    EXPECT_FALSE(parse_workers(wrong)) << wrong;
}

}  // namespace
}  // namespace tranche
