#include "api/supervisor_link.h"

#include <algorithm>
#include <utility>

#include "base/frame.h"

namespace tranche {
namespace {

Error not_a_frame() {
  return make_error(ErrorKind::bug, "Engine and supervisor do not understand each other.");
}

}  // namespace

std::string encode_request(const WorkerRequest& request) {
  FrameWriter frame;
  frame.put(static_cast<std::uint64_t>(request.kind));
  frame.put(request.slot);
  frame.put(request.generation);
  frame.put(request.memory_bytes);
  frame.put_text(request.order);
  return frame.bytes();
}

Result<WorkerRequest> decode_request(const std::string& bytes) {
  FrameReader reader(bytes);
  WorkerRequest request;
  request.kind = reader.take() == 0 ? WorkerRequest::Kind::start : WorkerRequest::Kind::kill;
  request.slot = static_cast<unsigned>(reader.take());
  request.generation = static_cast<std::uint32_t>(reader.take());
  request.memory_bytes = reader.take();
  request.order = reader.take_text();
  if (!reader.ok()) return not_a_frame();
  return request;
}

std::string encode_notice(const WorkerStarter::Notice& notice) {
  FrameWriter frame;
  frame.put(notice.slot);
  frame.put(notice.generation);
  frame.put(static_cast<std::uint64_t>(notice.pid));
  frame.put(notice.exit ? 1 : 0);
  frame.put(notice.exit ? static_cast<std::uint64_t>(notice.exit->code) : 0);
  frame.put(notice.exit ? static_cast<std::uint64_t>(notice.exit->signal) : 0);
  frame.put(notice.is_out_of_memory ? 1 : 0);
  frame.put_text(notice.error);
  return frame.bytes();
}

Result<WorkerStarter::Notice> decode_notice(const std::string& bytes) {
  FrameReader reader(bytes);
  WorkerStarter::Notice notice;
  notice.slot = static_cast<unsigned>(reader.take());
  notice.generation = static_cast<std::uint32_t>(reader.take());
  notice.pid = static_cast<pid_t>(reader.take());
  const bool has_exit = reader.take() != 0;
  Exit exit;
  exit.code = static_cast<int>(reader.take());
  exit.signal = static_cast<int>(reader.take());
  if (has_exit) notice.exit = exit;
  notice.is_out_of_memory = reader.take() != 0;
  notice.error = reader.take_text();
  if (!reader.ok()) return not_a_frame();
  return notice;
}

std::vector<engine::Suspect> SupervisorLink::suspects_of(std::uint32_t step) const {
  std::vector<engine::Suspect> of_step;
  for (const auto& suspect : suspects_) {
    if (suspect.step == step) of_step.push_back(suspect);
  }
  return of_step;
}

Result<void> SupervisorLink::start(unsigned slot, std::uint32_t generation,
                                   std::uint64_t memory_bytes, Channel end) {
  WorkerRequest request;
  request.slot = slot;
  request.generation = generation;
  request.memory_bytes = memory_bytes;
  request.order = order_;
  const Descriptor handed = end.release();
  return control_.send(encode_request(request), {handed.number()});
}

Result<void> SupervisorLink::kill(unsigned slot, std::uint32_t generation) {
  WorkerRequest request;
  request.kind = WorkerRequest::Kind::kill;
  request.slot = slot;
  request.generation = generation;
  return control_.send(encode_request(request));
}

Result<std::vector<WorkerStarter::Notice>> SupervisorLink::notices() {
  bool closed = false;
  TRANCHE_ASSIGN(const auto frames, control_.receive_available(closed));
  std::vector<Notice> notices;
  for (const Frame& frame : frames) {
    TRANCHE_ASSIGN(auto notice, decode_notice(frame.bytes));
    notices.push_back(std::move(notice));
  }
  if (closed && notices.empty()) return make_error(ErrorKind::failed, "The supervisor is gone.");
  return notices;
}

}  // namespace tranche
