// The port of sources: where records come from.
//
// Threads: a Source's const methods may be called by many workers at once; a Reader and a
// SliceStream belong to one thread. Lifetime: a Source outlives its streams and readers.
// Errors: config for what is wrong before the start (no such file, unknown column), failed for what
// breaks later; a broken record is a Reject, never an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/plan.h>
#include <tranche/core/reject.h>
#include <tranche/core/worker.h>

namespace tranche {

// What a resume does when the snapshot that the run read is gone, and with it the certainty that
// no row moved from one batch to another.
enum class SnapshotLoss { refuse, go_on, start_afresh };

class SliceStream {
 public:
  virtual ~SliceStream() = default;
  // The next slice within `limits`, in the order of the inputs; nullopt at the end of the last one.
  virtual Result<std::optional<Slice>> next(const CutLimits& limits) = 0;
  // By another thread: next() ends soon, with the error stopped where it waits for others.
  virtual void interrupt() {}
};

class Reader {
 public:
  virtual ~Reader() = default;
  // The next records as a new Page with origins; nullptr at the end. Broken records are appended to
  // `rejects`. Every record of the slice comes out exactly once, as a row or as a reject.
  virtual Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) = 0;
  virtual std::uint64_t bytes_read() const = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  // `incremental:` of a table: whether it reads only what is newer than the last completed run did,
  // whose Input.until `until` is; empty: there is none, or nobody asks. Before inputs().
  virtual bool is_incremental() const { return false; }
  virtual void read_behind(std::string /*until*/) {}
  // Whether its records come from a service that may be slow, and would not give the same ones
  // again: dividing it fetches and keeps them.
  virtual bool is_fetched() const { return false; }
  // For which run, and in which folder, what is fetched is kept, so that no process of the run
  // fetches it again. Before inputs(); without it they are kept for this process alone.
  virtual void keep_fetched(std::string /*run*/, std::string /*folder*/) {}
  // What it would read now: globs are expanded, a database's snapshot is taken here, once a run.
  virtual Result<std::vector<Input>> inputs() = 0;
  // Fixes the inputs (those of the plan). Called once, before schema, divide and open.
  virtual Result<void> use_inputs(std::vector<Input> inputs) = 0;
  virtual Result<SchemaPtr> schema() = 0;
  // How the job divides its records; after schema(), before divide. A source that does not have to
  // know takes whatever names neither a key nor a window. Errors: config, what it can't divide by.
  virtual Result<void> use_division(const Division& division);
  // Cuts what comes behind `after` (nullptr: from the beginning).
  virtual Result<std::unique_ptr<SliceStream>> divide(const Slice* after) = 0;
  virtual Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const = 0;
  // The digest of a slice's bytes as they are now (compare with slice.digest). When the bytes are
  // not there any more: nullopt.
  virtual Result<std::optional<std::uint64_t>> digest(const Slice& slice) const = 0;
  // The division that suits this source when the job names none: chunk_bytes, and rows or bytes.
  virtual Division default_division() const = 0;
  // Targets that nobody can write to while it is open: what Sink::targets() names, up to a colon.
  virtual std::vector<std::string> keeps_from_writing() const { return {}; }
  // What a person should know of how it will be read, in sentences; after schema().
  virtual std::vector<std::string> notes() const { return {}; }
  // The bytes that decoders take; nullopt: it decodes nothing. A source that does (compressed text)
  // keeps what divide() went over until it is read, so that it is decoded once.
  virtual Result<std::optional<std::uint64_t>> decoder_bytes() const {
    return std::optional<std::uint64_t>();
  }
  // What the planning thread keeps in memory: an embedded database.
  virtual std::uint64_t planner_bytes() const { return 0; }
  // How much text it may keep: half of it for what divide() went over and nobody has read, half for
  // what is read again.
  virtual void keep_decoded(std::uint64_t /*bytes*/) {}
  // What is known of earlier readings; from here on it notes more, and take_checkpoints() gives
  // what is new since the last call.
  virtual void use_checkpoints(std::vector<Checkpoint> /*checkpoints*/) {}
  virtual std::vector<Checkpoint> take_checkpoints() { return {}; }
  // When much must be decoded again before `slice` can be read: that, as a sentence.
  virtual std::optional<std::string> seek_notice(const Slice& /*slice*/) const {
    return std::nullopt;
  }
  // REQUIRES inputs with a snapshot.
  virtual SnapshotLoss on_snapshot_loss() const { return SnapshotLoss::refuse; }
  // True when workers need their embedded database to read.
  virtual bool uses_database() const { return false; }
};

}  // namespace tranche
