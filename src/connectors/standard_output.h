// Standard output as a sink of text: `write: { csv: "-" }`.
//
// Groups are written in order when they are committed, each as soon as it is. What is in a pipe
// can't be taken back or looked at again, so nothing is gone on with: a run that fails begins anew.
//
// Threads and lifetime: those of core/sink.h.
#pragma once

#include <memory>
#include <string_view>

#include <tranche/core/sink.h>

#include "connectors/single_file_sink.h"

namespace tranche {

// What stands for standard output where a file is named.
inline constexpr std::string_view standard_output_name = "-";

std::unique_ptr<Sink> make_standard_output_sink(SingleFileFormat format);

}  // namespace tranche
