#include "pipeline/pipeline.h"

#include <algorithm>
#include <utility>

#include "base/file.h"

namespace tranche {
namespace {

// Segments that wait for their commit in a file that has no name.
class AnonymousSpill final : public SpillFile {
 public:
  explicit AnonymousSpill(File file) : file_(std::move(file)) {}
  Result<std::string> read(std::uint64_t offset, std::uint64_t bytes) const override {
    std::string data(bytes, '\0');
    TRANCHE_ASSIGN(const auto count, file_.read_at(data.data(), bytes, offset));
    data.resize(count);
    return data;
  }
  File& file() { return file_; }

 private:
  File file_;
};

Result<void> move_to_file(std::vector<Segment>& segments, const std::string& folder) {
  TRANCHE_ASSIGN(auto file, File::create_anonymous(folder));
  auto spill = std::make_shared<AnonymousSpill>(std::move(file));
  std::uint64_t offset = 0;
  for (auto& segment : segments) {
    if (!segment.data) continue;
    TRANCHE_TRY(spill->file().write_at(*segment.data, offset));
    segment.spill = spill;
    segment.spill_offset = offset;
    offset += segment.data->size();
    segment.data.reset();
  }
  return {};
}

class PipelineWorker final : public Worker {
 public:
  PipelineWorker(const Pipeline& pipeline, unsigned number)
      : pipeline_(pipeline),
        scope_(number, pipeline.database_memory_bytes, pipeline.spill_folder,
               pipeline.rejects_enough) {}

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
    for (const auto& chunk : task.chunks) TRANCHE_TRY(read(chunk, result));
    result.counts.read_rejects = result.rejects.size() - transform_rejects_;
    for (std::size_t stage = 0; stage < held_.size(); ++stage) {
      if (pipeline_.transforms[stage]->scope() == Transform::Scope::batch) {
        TRANCHE_TRY(transform(stage, held_[stage], result));
        held_[stage].clear();
      }
    }
    if (encoder_) {
      TRANCHE_ASSIGN(result.segments, encoder_->finish());
      result.counts.encoded = encoder_->rows_encoded() - encoded_before;
      if (task.spill) TRANCHE_TRY(move_to_file(result.segments, pipeline_.spill_folder));
    } else {
      result.counts.encoded = result.counts.offered;
    }
    std::stable_sort(result.rejects.begin(), result.rejects.end(),
                     [](const Reject& a, const Reject& b) { return a.record < b.record; });
    for (auto& reject : result.rejects) reject.attempts = task.attempt;
    return result;
  }

  // Instances and the encoder are made once a worker, and again after an error.
  Result<void> prepare() {
    transform_rejects_ = 0;
    while (instances_.size() < pipeline_.transforms.size()) {
      TRANCHE_ASSIGN(auto instance, pipeline_.transforms[instances_.size()]->instance(scope_));
      instances_.push_back(std::move(instance));
    }
    if (!encoder_ && pipeline_.sink != nullptr) {
      TRANCHE_ASSIGN(encoder_, pipeline_.sink->encoder(scope_));
    }
    return {};
  }

  Result<void> read(const Slice& chunk, ChunkResult& result) {
    TRANCHE_ASSIGN(auto reader, pipeline_.source->open(chunk, scope_));
    while (true) {
      TRANCHE_ASSIGN(auto page, reader->next(result.rejects));
      if (!page) break;
      result.counts.read += page->rows();
      TRANCHE_TRY(pass_on(0, std::move(page), result));
    }
    result.counts.bytes_read += reader->bytes_read();
    return {};
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
    const std::size_t before = result.rejects.size();
    auto consume = [&](std::unique_ptr<Page> page) {
      return pass_on(stage + 1, std::move(page), result);
    };
    // A later stage rejects inside `consume`, so this one's rejects are kept apart until it is
    // done.
    std::vector<Reject> rejects;
    TRANCHE_TRY(instances_[stage]->process(pages, consume, rejects, result.counts.stages[stage]));
    transform_rejects_ += rejects.size();
    result.rejects_incomplete =
        result.rejects_incomplete || instances_[stage]->rejects_incomplete();
    result.rejects.insert(result.rejects.begin() + static_cast<std::ptrdiff_t>(before),
                          std::make_move_iterator(rejects.begin()),
                          std::make_move_iterator(rejects.end()));
    return {};
  }

  const Pipeline& pipeline_;
  WorkerScope scope_;
  std::vector<std::unique_ptr<TransformInstance>> instances_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<std::vector<std::unique_ptr<Page>>> held_;  // what each stage has yet to process
  std::uint64_t transform_rejects_ = 0;                   // among the result's rejects
};

}  // namespace

bool Pipeline::whole_batches() const {
  return std::any_of(transforms.begin(), transforms.end(), [](const Transform* transform) {
    return transform->scope() == Transform::Scope::batch;
  });
}

Result<std::unique_ptr<Worker>> make_worker(const Pipeline& pipeline, unsigned number) {
  return std::unique_ptr<Worker>(std::make_unique<PipelineWorker>(pipeline, number));
}

}  // namespace tranche
