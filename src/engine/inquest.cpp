#include "engine/inquest.h"

#include <algorithm>

namespace tranche::engine {

Inquest::Inquest(RecordRange records, std::vector<std::uint64_t> suspects, bool named_only)
    : records_(records), named_only_(named_only), lives_(records.first), dies_(records.end) {
  for (const std::uint64_t record : suspects) {
    if (records.contains(record)) suspects_.push_back(record);
  }
  if (records.count() == 0)
    verdict_ = Verdict::innocent;
  else if (suspects_.empty())
    after_named();
}

RecordRange Inquest::next_trial() const {
  switch (stage_) {
    case Stage::named:
      return {suspects_.front(), suspects_.front() + 1};
    case Stage::whole:
      return records_;
    case Stage::halving:
      return {records_.first, middle()};
    case Stage::last:
      break;
  }
  return {dies_ - 1, dies_};
}

void Inquest::lived() {
  switch (stage_) {
    case Stage::named:
      suspects_.pop_front();
      if (suspects_.empty()) after_named();
      return;
    case Stage::whole:
      verdict_ = Verdict::innocent;
      return;
    case Stage::halving:
      lives_ = middle();
      narrow();
      return;
    case Stage::last:
      verdict_ = Verdict::together;
      return;
  }
}

void Inquest::died(const Death& death) {
  last_death_ = death;
  switch (stage_) {
    case Stage::named:
      culprits_.push_back({suspects_.front(), death});
      suspects_.pop_front();
      if (suspects_.empty()) after_named();
      return;
    case Stage::whole:
      stage_ = Stage::halving;
      narrow();
      return;
    case Stage::halving:
      dies_ = middle();
      narrow();
      return;
    case Stage::last:
      culprits_.push_back({dies_ - 1, death});
      verdict_ = Verdict::guilty;
      return;
  }
}

// Everybody who was named is tried.
void Inquest::after_named() {
  if (!culprits_.empty())
    verdict_ = Verdict::guilty;
  else if (named_only_)
    verdict_ = Verdict::innocent;
  else
    stage_ = Stage::whole;
}

// One record makes the difference between a prefix that lives and one that dies: is it enough?
void Inquest::narrow() {
  if (dies_ - lives_ == 1) stage_ = Stage::last;
}

}  // namespace tranche::engine
