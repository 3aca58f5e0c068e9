// The port of transforms: what happens to records between source and sink.
//
// Threads: bind and instance are called before or between work, an Instance belongs to one worker.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/counts.h>
#include <tranche/core/page.h>
#include <tranche/core/reject.h>
#include <tranche/core/worker.h>

namespace tranche {

// Takes the next page of a stage's result.
using PageConsumer = std::function<Result<void>(std::unique_ptr<Page>)>;

class TransformInstance {
 public:
  virtual ~TransformInstance() = default;
  // Processes `pages`: the whole batch for scope batch, any part of it for scope chunk. Gives every
  // result row to `consume`, in order; a record that fails goes to `rejects` with its origin.
  // Counts in, out, rejected (and filtered) itself.
  virtual Result<void> process(std::span<const std::unique_ptr<Page>> pages,
                               const PageConsumer& consume, std::vector<Reject>& rejects,
                               StageCounts& counts) = 0;
  // Whether the last process() ended with WorkerScope::rejects_enough() rejects, the first ones of
  // its pages, and gave nothing to `consume`.
  virtual bool rejects_incomplete() const { return false; }
};

class Transform {
 public:
  enum class Scope { chunk, batch };

  virtual ~Transform() = default;
  // "sql", "function": the stage's name in counts and rejects.
  virtual std::string name() const = 0;
  virtual Scope scope() const = 0;
  // Checks the transform against its input and says what it gives. Called once before the start.
  // Errors: config, with the place in the job file.
  virtual Result<SchemaPtr> bind(SchemaPtr input, WorkerScope& worker) = 0;
  // Tells it whose work it does: the id of the run, which a resume has too, the step's name, and
  // where it may keep what the step needs until it is done; empty: nowhere. Called before the first
  // instance of a run.
  virtual void work_for(const std::string& /*run*/, const std::string& /*step*/,
                        const std::string& /*folder*/) {}
  // REQUIRES bind. Thread-safe.
  virtual Result<std::unique_ptr<TransformInstance>> instance(WorkerScope& worker) const = 0;
  // What shapes its output besides the records and its part of the job (compared by itself): one
  // line for each lookup table, file and program, with its digest. Called after bind. A difference
  // is shown to people.
  virtual Result<std::string> fingerprint() const = 0;
  virtual bool uses_database() const { return false; }
  // As Source's, of what it looks up.
  virtual std::vector<std::string> keeps_from_writing() const { return {}; }
  // Text is cut into chunks of at most so many bytes where a record may take long, so that workers
  // come to their ends at about the same time; 0: what suits the source.
  virtual std::uint64_t text_chunk_bytes() const { return 0; }
  // What is wrong with it whatever it is given, where it can't be bound since something before it
  // is wrong. Errors: config.
  virtual Result<void> check_alone(WorkerScope& /*worker*/) const { return {}; }
  // Whether its instances have WorkerScope::lanes() help with their calls.
  virtual bool uses_lanes() const { return false; }
};

}  // namespace tranche
