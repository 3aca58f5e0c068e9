// What the ledger keeps as compact JSON: slices, counts, divisions, targets, progress.
//
// Threads: pure functions. Errors: failed, when the text is not what was written.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/counts.h>
#include <tranche/core/event.h>
#include <tranche/core/ledger.h>
#include <tranche/core/plan.h>

namespace tranche::ledger {

// [[input,begin,end,records,first_record,first_line,end_line,bytes,memory_bytes,digest],...]
std::string encode_slices(std::span<const Slice> slices);
Result<std::vector<Slice>> decode_slices(std::string_view text);

std::string encode_counts(const Counts& counts);
Result<Counts> decode_counts(std::string_view text);

// [attempts,memory_bytes,last_failure,[[batch,worker,began,took,busy],...]]
std::string encode_work(const GroupWork& work);
Result<GroupWork> decode_work(std::string_view text);

std::string encode_division(const Division& division);
Result<Division> decode_division(std::string_view text);

std::string encode_texts(std::span<const std::string> texts);
Result<std::vector<std::string>> decode_texts(std::string_view text);

std::string encode_progress(const Progress& progress);
Result<Progress> decode_progress(std::string_view text);

}  // namespace tranche::ledger
