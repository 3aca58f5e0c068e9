// The encoder of databases inside this process: pages as frames of bytes, which the committing
// thread turns into rows.
// Threads: an Encoder belongs to its worker.
#pragma once

#include <memory>

#include <tranche/core/sink.h>

namespace tranche {

std::unique_ptr<Encoder> make_frame_encoder();

}  // namespace tranche
