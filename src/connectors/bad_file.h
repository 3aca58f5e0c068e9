// `bad_file: reject`: a file that can't be read at all becomes one record of the plan, and that
// record a reject which names the file. What is wrong with it stands in the slice, so that a resume
// says what the plan said.
//
// Threads: pure functions. Lifetime: the reader refers to nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/options.h>
#include <tranche/core/source.h>

namespace tranche {

Option bad_file_option();
Option empty_option();
// Such an error is of a server, or of the way to it, and says nothing of the file.
inline bool may_pass(const Error& error) { return error.kind == ErrorKind::transient; }
// Errors: config, that says so of the file; for `empty: fail`.
Error empty_file_error(const std::string& name);

// `state`: what else the source must know behind this slice.
Slice bad_file_slice(std::size_t input, const Input& file, std::uint64_t first_record,
                     const std::string& error, const std::string& state = {});
// What is wrong with the file of such a slice; nullopt: it is another slice.
std::optional<std::string> bad_file_of(const Slice& slice);
std::unique_ptr<Reader> bad_file_reader(const std::string& name, const Slice& slice);

}  // namespace tranche
