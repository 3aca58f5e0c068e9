#include "engine/inquest.h"

#include <algorithm>

namespace tranche::engine {

Inquest::Inquest(RecordRange records, std::vector<std::uint64_t> suspects, bool named_only)
    : records_(records), named_only_(named_only), lives_(records.first), dies_(records.end) {
  for (const std::uint64_t record : suspects) {
    const bool is_known = std::find(suspects_.begin(), suspects_.end(), record) != suspects_.end();
    if (records.contains(record) && !is_known) suspects_.push_back(record);
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
    case Stage::nobody:
      return {records_.first, records_.first};
    case Stage::halving:
      return {records_.first, middle()};
    case Stage::last:
      return {dies_ - 1, dies_};
    case Stage::again:
      break;
  }
  return {records_.first, dies_};
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
    case Stage::nobody:
      stage_ = Stage::halving;
      narrow();
      return;
    case Stage::halving:
      lives_ = middle();
      narrow();
      return;
    case Stage::last:
      stage_ = Stage::again;
      return;
    case Stage::again:
      verdict_ = Verdict::innocent;
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
      stage_ = Stage::nobody;
      return;
    case Stage::nobody:
      verdict_ = Verdict::unprovoked;
      return;
    case Stage::halving:
      dies_ = middle();
      narrow();
      return;
    case Stage::last:
      culprits_.push_back({dies_ - 1, death});
      verdict_ = Verdict::guilty;
      return;
    case Stage::again:
      verdict_ = Verdict::together;
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
  if (dies_ - lives_ != 1) return;
  stage_ = Stage::last;
  if (dies_ - 1 == records_.first) died(last_death_);  // that prefix was nobody but it
}

}  // namespace tranche::engine
