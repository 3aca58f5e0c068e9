#include "pipeline/pipeline.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/reject_segment.h"
#include "executors/segment_files.h"

namespace tranche {
namespace {

class PipelineWorker final : public Worker {
 public:
  PipelineWorker(const Pipeline& pipeline, unsigned number, Lanes* lanes)
      : pipeline_(pipeline),
        scope_(number, pipeline.database_memory_bytes, pipeline.spill_folder,
               pipeline.rejects_enough,
               pipeline.board != nullptr ? &pipeline.board->slots[number] : nullptr, lanes) {
    if (!pipeline.log_prefix.empty())
      scope_.keep_logs_at(fmt::format("{}-{}", pipeline.log_prefix, number));
  }

  Result<ChunkResult> work(const Task& task) override {
    auto result = task.kind == Task::Kind::merge ? merge(task) : process(task);
    if (!result) {  // whatever is half done in them goes with them
      encoder_.reset();
      instances_.clear();
    }
    return result;
  }

 private:
  Result<ChunkResult> merge(const Task& task) {
    TRANCHE_TRY(prepare());
    ChunkResult result;
    TRANCHE_ASSIGN(result.segments, encoder_->merge(task.group, task.segments));
    for (const auto& segment : result.segments) result.counts.encoded += segment.rows;
    return result;
  }

  Result<ChunkResult> process(const Task& task) {
    TRANCHE_TRY(prepare());
    ChunkResult result;
    for (const auto* transform : pipeline_.transforms) {
      result.counts.stages.push_back(StageCounts{transform->name()});
    }
    held_.clear();
    held_.resize(pipeline_.transforms.size());
    const std::uint64_t encoded_before = encoder_ ? encoder_->rows_encoded() : 0;
    for (const auto& chunk : task.chunks) {
      TRANCHE_TRY(read(task, chunk, result));
      TRANCHE_TRY(pack_rejects(task, 0));
    }
    result.counts.read_rejects = rejects_packed_ - transform_rejects_;
    for (std::size_t stage = 0; stage < held_.size(); ++stage) {
      if (pipeline_.transforms[stage]->scope() == Transform::Scope::batch) {
        TRANCHE_TRY(transform(stage, held_[stage], result));
        held_[stage].clear();
        TRANCHE_TRY(pack_rejects(task, stage + 1));
      }
    }
    TRANCHE_ASSIGN(result.rejects, merge_rejects(std::exchange(runs_, {})));
    if (task.spill) TRANCHE_TRY(spill(result.rejects));
    if (encoder_) {
      TRANCHE_ASSIGN(result.segments, encoder_->finish());
      result.counts.encoded = encoder_->rows_encoded() - encoded_before;
      if (task.spill) TRANCHE_TRY(spill(result.segments));
    } else {
      result.counts.encoded = result.counts.offered;
    }
    spill_.reset();
    return result;
  }

  // Encodes the rejects of a chunk, or of a transform that took the whole batch, behind those of
  // their run: of the batch's chunks (0), or of a transform.
  Result<void> pack_rejects(const Task& task, std::size_t run) {
    if (rejects_.empty()) return {};
    std::stable_sort(rejects_.begin(), rejects_.end(),
                     [](const Reject& a, const Reject& b) { return a.record < b.record; });
    for (auto& reject : rejects_) reject.attempts = std::max(reject.attempts, task.attempt);
    auto packed = encode_rejects(rejects_);
    rejects_packed_ += rejects_.size();
    rejects_ = std::vector<Reject>();  // gives the memory back, as clear() would not
    if (task.spill) TRANCHE_TRY(spill(packed));
    std::move(packed.begin(), packed.end(), std::back_inserter(runs_[run]));
    return {};
  }

  // To the one file of the task.
  Result<void> spill(std::vector<Segment>& segments) {
    if (segments.empty()) return {};
    if (!spill_) {
      TRANCHE_ASSIGN(spill_, AnonymousFile::create_on_disk(pipeline_.spill_folder));
    }
    return move_to_file(spill_, segments);
  }

  // Instances and the encoder are made once a worker, and again after an error.
  Result<void> prepare() {
    transform_rejects_ = 0;
    rejects_packed_ = 0;
    rejects_.clear();
    runs_.assign(pipeline_.transforms.size() + 1, {});
    spill_.reset();
    while (instances_.size() < pipeline_.transforms.size()) {
      TRANCHE_ASSIGN(auto instance, pipeline_.transforms[instances_.size()]->instance(scope_));
      instances_.push_back(std::move(instance));
    }
    if (!encoder_ && pipeline_.sink != nullptr) {
      TRANCHE_ASSIGN(encoder_, pipeline_.sink->encoder(scope_));
    }
    return {};
  }

  Result<void> read(const Task& task, const Slice& chunk, ChunkResult& result) {
    // A trial of no record reads all of them: does reading alone kill it?
    if (task.trial && task.trial->count() > 0 &&
        (chunk.first_record >= task.trial->end ||
         chunk.first_record + chunk.records <= task.trial->first)) {
      return {};
    }
    TRANCHE_ASSIGN(auto reader, pipeline_.source->open(chunk, scope_));
    while (true) {
      const std::size_t rejects_before = rejects_.size();
      TRANCHE_ASSIGN(auto page, reader->next(rejects_));
      if (task.only) skip_rejects(*task.only, rejects_before, result);
      if (!page) break;
      scope_.breadcrumb().beat();
      if (task.only) page = select(*task.only, std::move(page), result);
      if (!task.culprits.empty() || task.trial) page = sift(task, std::move(page));
      result.counts.read += page->rows();
      if (page->rows() > 0) TRANCHE_TRY(pass_on(0, std::move(page), result));
    }
    result.counts.bytes_read += reader->bytes_read();
    return {};
  }

  // Leaves out what an earlier run has processed.
  static std::unique_ptr<Page> select(const std::vector<std::uint64_t>& only,
                                      std::unique_ptr<Page> page, ChunkResult& result) {
    std::vector<std::size_t> kept;
    for (std::size_t row = 0; row < page->rows(); ++row) {
      if (std::binary_search(only.begin(), only.end(), record_of(*page, row))) kept.push_back(row);
    }
    result.counts.skipped += page->rows() - kept.size();
    return rows_of(std::move(page), kept);
  }

  void skip_rejects(const std::vector<std::uint64_t>& only, std::size_t from, ChunkResult& result) {
    const auto begin = rejects_.begin() + static_cast<std::ptrdiff_t>(from);
    const auto skipped = std::remove_if(begin, rejects_.end(), [&](const Reject& reject) {
      return !std::binary_search(only.begin(), only.end(), reject.record);
    });
    result.counts.skipped += static_cast<std::uint64_t>(rejects_.end() - skipped);
    rejects_.erase(skipped, rejects_.end());
  }

  // Takes culprits out, and in a trial whatever it is not about.
  std::unique_ptr<Page> sift(const Task& task, std::unique_ptr<Page> page) {
    const auto is_wanted = [&](std::uint64_t record) {
      return !task.trial || (record >= task.trial->first && record < task.trial->end);
    };
    std::vector<std::size_t> kept;
    kept.reserve(page->rows());
    for (std::size_t row = 0; row < page->rows(); ++row) {
      const std::uint64_t record = record_of(*page, row);
      if (!is_wanted(record)) continue;
      const auto culprit =
          std::find_if(task.culprits.begin(), task.culprits.end(),
                       [&](const Culprit& candidate) { return candidate.record == record; });
      if (culprit == task.culprits.end()) {
        kept.push_back(row);
        continue;
      }
      Reject reject = reject_row(*page, row, culprit->phase, culprit->error);
      reject.signal = culprit->signal;
      reject.attempts = culprit->attempts;
      rejects_.push_back(std::move(reject));
    }
    return rows_of(std::move(page), kept);
  }

  // A page with only these rows of it.
  static std::unique_ptr<Page> rows_of(std::unique_ptr<Page> page,
                                       const std::vector<std::size_t>& kept) {
    if (kept.size() == page->rows()) return page;
    auto made = std::make_unique<Page>(page->schema_ptr(), std::max<std::size_t>(kept.size(), 1));
    made->base = page->base;
    made->keep_alive = page->keep_alive;
    for (const std::size_t row : kept) append_row(*made, *page, row);
    return made;
  }

  static std::uint64_t record_of(const Page& page, std::size_t row) {
    return page.base.record + (page.origins.empty() ? row : page.origins[row].record);
  }

  // Whom to suspect if this stage does not return.
  void note(std::size_t stage, const std::vector<std::unique_ptr<Page>>& pages) {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    if (!pages.empty() && !pages.front()->origins.empty() && pages.front()->rows() > 0) {
      const Page& last = *pages.back();
      first = record_of(*pages.front(), 0);
      if (last.rows() > 0 && !last.origins.empty()) {
        count = record_of(last, last.rows() - 1) + 1 - first;
      }
    }
    scope_.breadcrumb().take(static_cast<std::uint32_t>(stage), first, count);
  }

  // Gives a page to stage `stage`, or to the encoder behind the last one.
  Result<void> pass_on(std::size_t stage, std::unique_ptr<Page> page, ChunkResult& result) {
    if (stage == instances_.size()) {
      result.counts.offered += page->rows();
      return encoder_ ? encoder_->add(*page) : Result<void>();
    }
    held_[stage].push_back(std::move(page));
    if (pipeline_.transforms[stage]->scope() == Transform::Scope::batch) return {};
    TRANCHE_TRY(transform(stage, held_[stage], result));
    held_[stage].clear();
    return {};
  }

  Result<void> transform(std::size_t stage, const std::vector<std::unique_ptr<Page>>& pages,
                         ChunkResult& result) {
    const std::size_t before = rejects_.size();
    auto consume = [&](std::unique_ptr<Page> page) {
      return pass_on(stage + 1, std::move(page), result);
    };
    // A later stage rejects inside `consume`, so this one's rejects are kept apart until it is
    // done.
    std::vector<Reject> rejects;
    note(stage, pages);
    TRANCHE_TRY(instances_[stage]->process(pages, consume, rejects, result.counts.stages[stage]));
    scope_.breadcrumb().records.store(0, std::memory_order_relaxed);
    transform_rejects_ += rejects.size();
    result.rejects_incomplete =
        result.rejects_incomplete || instances_[stage]->rejects_incomplete();
    rejects_.insert(rejects_.begin() + static_cast<std::ptrdiff_t>(before),
                    std::make_move_iterator(rejects.begin()),
                    std::make_move_iterator(rejects.end()));
    return {};
  }

  const Pipeline& pipeline_;
  WorkerScope scope_;
  std::vector<std::unique_ptr<TransformInstance>> instances_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<std::vector<std::unique_ptr<Page>>> held_;  // what each stage has yet to process
  std::vector<Reject> rejects_;                           // of the chunk, or the transform, in work
  std::vector<RejectRun> runs_;                           // those before them
  std::uint64_t rejects_packed_ = 0;                      // in runs_
  std::uint64_t transform_rejects_ = 0;                   // among the task's rejects
  std::shared_ptr<AnonymousFile> spill_;                  // of the task; made when it is needed
};

}  // namespace

bool Pipeline::whole_batches() const {
  return std::any_of(transforms.begin(), transforms.end(), [](const Transform* transform) {
    return transform->scope() == Transform::Scope::batch;
  });
}

Result<std::unique_ptr<Worker>> make_worker(const Pipeline& pipeline, unsigned number,
                                            Lanes* lanes) {
  return std::unique_ptr<Worker>(std::make_unique<PipelineWorker>(pipeline, number, lanes));
}

}  // namespace tranche
