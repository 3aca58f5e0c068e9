#include "jobfile/tables.h"

#include <algorithm>

#include <tranche/api/job.h>
#include "connectors/several_sources.h"

namespace tranche {
namespace {

Option option(std::string name, OptionKind kind, std::string doc) {
  Option made;
  made.name = std::move(name);
  made.kind = kind;
  made.doc = std::move(doc);
  return made;
}
Option required(Option made) {
  made.required = true;
  return made;
}
Option with_default(Option made, std::string text) {
  made.default_text = std::move(text);
  return made;
}
Option with_example(Option made, std::string text) {
  made.example = std::move(text);
  return made;
}
Option with_children(Option made, OptionTable children) {
  made.children = std::move(children);
  return made;
}

Option retry_option() {
  OptionTable children{
      with_default(option("attempts", OptionKind::count,
                          "How often a batch is tried in all when the trouble may pass by itself."),
                   "3"),
      with_default(
          option("backoff", OptionKind::duration,
                 "How long to wait before the second attempt; doubled for each further one."),
          "1s"),
      with_default(option("max_backoff", OptionKind::duration, "The longest wait."), "30s"),
      with_example(option("transient", OptionKind::texts,
                          "Words of error messages that tell of more trouble that passes, besides "
                          "what is known of each system."),
                   "[\"53300\", disk quota]"),
  };
  return with_children(option("retry", OptionKind::map, "How trouble that may pass is met."),
                       std::move(children));
}

Option on_error_option() {
  OptionTable children{
      with_example(
          with_default(option("max_rejects", OptionKind::text,
                              "How many bad records the step may have: a number, or a share of "
                              "its records."),
                       "0"),
          "0.1%"),
      with_default(option("same_failures_max", OptionKind::count,
                          "The step stops when so many of its first records have all failed in "
                          "the same way; 0: never."),
                   "500"),
      retry_option(),
      with_example(option("rejects", OptionKind::text,
                          "The file that the rejects are also written to, as JSON Lines."),
                   "out/rejects.jsonl"),
  };
  return with_children(
      option("on_error", OptionKind::map, "What bad records and passing trouble do to the step."),
      std::move(children));
}

Option late_option() {
  Option late = with_default(option("late", OptionKind::choice,
                                    "What a record of a text file is whose window is over: kept "
                                    "in the present one, or a reject."),
                             "keep");
  late.choices = {"keep", "reject"};
  return late;
}

// A kind of step: behind its name comes its place among the others.
OptionTable ordered(OptionTable table) {
  table.insert(table.begin() + 1, step_order_options().begin(), step_order_options().end());
  return table;
}

// Of a step that does one thing, once: its name, its own options, and whether it is tried again.
OptionTable deed_table(const char* name, const OptionTable& own, const char* on_error) {
  OptionTable made{required(
      with_example(option("name", OptionKind::text, "The step's name, once in a job."), name))};
  made.insert(made.end(), own.begin(), own.end());
  made.push_back(with_children(option("on_error", OptionKind::map, on_error), {retry_option()}));
  return ordered(std::move(made));
}

}  // namespace

const OptionTable& job_options() {
  static const OptionTable table{
      required(with_example(
          option("job", OptionKind::text, "The job's name: its identity within a state folder."),
          "nightly-sales")),
      option("description", OptionKind::text, "What the job is for, for people."),
      with_example(option("params", OptionKind::any,
                          "Values that are given anew for each run: name: type, or name: "
                          "{ type:, default: }."),
                   "{ day: date }"),
      with_example(option("connections", OptionKind::any,
                          "Databases by name: the URL of each, best taken from the environment, "
                          "so that no password is in the file."),
                   "{ warehouse: \"${env:WAREHOUSE_URL}\" }"),
      with_example(option("memory", OptionKind::size,
                          "The bytes that the whole run may hold; a quarter of the machine's "
                          "memory when left out."),
                   "512MiB"),
      with_children(option("schedule", OptionKind::map,
                           "The windows of time that the job is run for, one run each, and when."),
                    schedule_options()),
      required(with_example(
          option("steps", OptionKind::any, "What the job does, one step after the other."),
          "[{ name: load, read: { csv: in.csv }, write: { parquet: out } }]")),
  };
  return table;
}

const OptionTable& schedule_options() {
  static const OptionTable table{
      with_example(option("every", OptionKind::text,
                          "Each window is of this length, aligned to the calendar: a number and "
                          "second, minute, hour, day, week, month or year."),
                   "1 day"),
      with_example(option("cron", OptionKind::text,
                          "Instead of every: a cron expression. A window lies between two of its "
                          "firings and is run at the second one."),
                   "0 2 * * 1-5"),
      with_example(with_default(option("timezone", OptionKind::text,
                                       "Whose calendar and clock the windows follow."),
                                "UTC"),
                   "Europe/Berlin"),
      required(with_example(option("from", OptionKind::text,
                                   "Where the windows begin, in local time: the first one begins "
                                   "then, or next after it."),
                            "2026-01-01")),
      with_example(option("at", OptionKind::text,
                          "When a window of a day or longer is run, on the day behind it; at once "
                          "when it is over when left out."),
                   "02:00"),
      with_example(option("delay", OptionKind::duration,
                          "Instead of at: how long after its end a window is run."),
                   "5m"),
      with_default(option("catch_up", OptionKind::text,
                          "Which missed windows are run later: true for all, false for the latest "
                          "alone, or how many of the latest."),
                   "true"),
      with_default(option("failures_max", OptionKind::count,
                          "After so many failures in a row the job is halted until somebody has "
                          "mended it; 0: never."),
                   "3"),
      with_default(option("retry_delay", OptionKind::duration,
                          "How long after a failure the window is tried again."),
                   "5m"),
      with_example(option("on_failure", OptionKind::texts,
                          "A program and its arguments, started without a shell at each failure, "
                          "with TRANCHE_JOB, TRANCHE_RUN, TRANCHE_WINDOW and TRANCHE_ERROR in its "
                          "environment."),
                   "[./tell.sh, ops@example.org]"),
  };
  return table;
}

const OptionTable& step_order_options() {
  static const OptionTable table{
      with_example(option("after", OptionKind::texts,
                          "The steps that it waits for; the one above it when left out; []: it "
                          "begins at once."),
                   "[load, clean]"),
      with_example(option("when", OptionKind::any,
                          "What must have become of them: completed, failed, ended, or rejects > "
                          "N; for all of them, or { step: what }."),
                   "failed"),
  };
  return table;
}

const OptionTable& step_options() {
  static const OptionTable table = ordered({
      required(with_example(option("name", OptionKind::text, "The step's name, once in a job."),
                            "load")),
      required(with_example(option("read", OptionKind::any,
                                   "Where the records come from: one system and its options, or a "
                                   "list of them, read one after the other."),
                            "{ csv: data.csv }")),
      with_example(option("source_column", OptionKind::text,
                          "A column more, with the name of the file or table that each record came "
                          "from."),
                   "_source"),
      with_example(option("batch", OptionKind::any,
                          "How the records are divided: auto, or by rows, bytes, a key or "
                          "windows of time."),
                   "{ rows: 100000 }"),
      with_example(option("process", OptionKind::any,
                          "What happens to the records: a list of transforms, in order."),
                   "[{ sql: SELECT * FROM batch WHERE qty > 0 }]"),
      on_error_option(),
      with_example(option("workers", OptionKind::any,
                          "Who works: auto, a number of threads, { threads: }, or "
                          "{ processes: }, which are isolated from each other."),
                   "4"),
      required(with_example(
          option("write", OptionKind::any, "Where the records go: one system and its options."),
          "{ csv: out.csv }")),
  });
  return table;
}

const OptionTable& execute_step_options() {
  static const OptionTable table = ordered({
      required(with_example(option("name", OptionKind::text, "The step's name, once in a job."),
                            "publish")),
      required(with_example(option("execute", OptionKind::any,
                                   "The database, and the SQL that it executes once in a run."),
                            "{ postgres: warehouse, sql: REFRESH MATERIALIZED VIEW revenue }")),
      with_children(option("on_error", OptionKind::map, "What passing trouble does to the step."),
                    {retry_option()}),
  });
  return table;
}

const OptionTable& query_step_options() {
  static const OptionTable table = [] {
    OptionTable made = step_options();
    std::erase_if(made, [](const Option& one) {
      return one.name == "read" || one.name == "source_column" || one.name == "batch" ||
             one.name == "process";
    });
    made.insert(made.begin() + 3, query_options().begin(), query_options().end());
    return made;
  }();
  return table;
}

const OptionTable& exec_step_options() {
  static const OptionTable table =
      deed_table("publish", exec_options(), "What a program that fails does to the step.");
  return table;
}

const OptionTable& report_step_options() {
  static const OptionTable table =
      deed_table("report", report_options(), "What passing trouble of a source does to the step.");
  return table;
}

const OptionTable& backup_step_options() {
  static const OptionTable table = deed_table(
      "nightly",
      {with_children(required(option("backup", OptionKind::map,
                                     "A database that is written into a folder, once in a run.")),
                     backup_options())},
      "What passing trouble of the database does to the step.");
  return table;
}

const OptionTable& restore_step_options() {
  static const OptionTable table = deed_table(
      "copy",
      {with_children(required(option("restore", OptionKind::map,
                                     "A backup that is written into an empty database, once in a "
                                     "run.")),
                     restore_options())},
      "What passing trouble of the database does to the step.");
  return table;
}

const OptionTable& parameter_options() {
  static const OptionTable table{
      required(
          with_example(option("type", OptionKind::text, "Its type, as SQL names it."), "date")),
      option("default", OptionKind::text, "Its value when the command line gives none."),
      option("description", OptionKind::text, "What it is for, for people."),
  };
  return table;
}

const OptionTable& batch_options() {
  static const OptionTable table{
      with_example(option("rows", OptionKind::count, "A batch ends after so many records."),
                   "100000"),
      with_example(option("bytes", OptionKind::size, "A batch ends after so many bytes of input."),
                   "64MiB"),
      with_example(option("key", OptionKind::text,
                          "Databases: the column in whose order the records are read; batches are "
                          "cut between two of its values."),
                   "id"),
      with_example(option("every", OptionKind::text,
                          "Each batch is a window of time of this length, aligned to the "
                          "calendar: a number and second, minute, hour, day, week, month or year."),
                   "1 day"),
      with_example(
          option("on", OptionKind::text, "The column that tells which window a record belongs to."),
          "sold_at"),
      with_example(option("timezone", OptionKind::text,
                          "Whose calendar cuts a timestamptz into windows; UTC when left out."),
                   "Europe/Berlin"),
      late_option(),
  };
  return table;
}

const OptionTable& workers_options() {
  static const OptionTable table{
      with_example(option("threads", OptionKind::any,
                          "How many threads work, which share memory: a number, or auto."),
                   "4"),
      with_example(option("processes", OptionKind::count,
                          "How many processes work instead of threads: what one does to itself "
                          "costs nobody else."),
                   "4"),
      with_example(option("memory", OptionKind::size,
                          "The bytes that each process may take; a share of the job's memory when "
                          "left out."),
                   "512MiB"),
      with_example(option("timeout", OptionKind::duration,
                          "How long a worker may go without progress, in a record or in SQL, "
                          "before the record is taken for the culprit; no limit when left out."),
                   "5m"),
      with_example(option("cpu_time", OptionKind::duration,
                          "How long a process may compute without progress; no limit when left "
                          "out."),
                   "1m"),
      with_example(option("recycle", OptionKind::count,
                          "Each process is replaced after so many batches; never when left out."),
                   "1000"),
  };
  return table;
}

OptionTable options_at(const Connector& system, SystemPlace place) {
  if (place == SystemPlace::write) return system.write_options;
  if (place == SystemPlace::execute) return system.execute_options;
  OptionTable table = system.read_options;
  if (place == SystemPlace::read || table.empty()) return table;
  for (const Option& more : source_item_options()) {
    const bool is_known = std::any_of(table.begin(), table.end(),
                                      [&](const Option& known) { return known.name == more.name; });
    if (!is_known) table.push_back(more);
  }
  return table;
}

}  // namespace tranche
