#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "jobfile/load.h"
#include "render/summary.h"

namespace tranche {
namespace {

Result<void> write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EPIPE) {
      return make_error(ErrorKind::stopped, "Nobody reads the output any more");
    } else if (errno != EINTR) {
      return make_error(ErrorKind::failed,
                        fmt::format("Can't write the output: {}", std::strerror(errno)));
    }
  }
  return {};
}

Json error_json(const Error& error, const Problems& problems) {
  Json made = Json().set("message", error.message);
  if (!error.where.empty()) made.set("where", error.where);
  if (!problems.empty()) {
    Json list{Json::Array{}};
    for (const Problem& problem : problems)
      list.push(Json()
                    .set("line", problem.mark.line)
                    .set("column", problem.mark.column)
                    .set("message", problem.message));
    made.set("problems", std::move(list));
  }
  return Json().set("error", std::move(made));
}

}  // namespace

Result<void> write_data(std::string_view text) { return write_all(standard_output, text); }

void write_message(std::string_view text) {
  // A failure to say something can't be said either.
  if (const auto written = write_all(standard_error, text); !written) return;
}

const Look& message_look() {
  static Look look;
  look = look_at(standard_error);  // anew: a window changes its width
  return look;
}

const Look& data_look() {
  static const Look look = look_at(standard_output);
  return look;
}

int exit_code(const Error& error) {
  switch (error.kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
      return exit_usage;
    case ErrorKind::stopped:
      return exit_stopped;
    case ErrorKind::busy:
      return exit_busy;
    default:
      return exit_failed;
  }
}

int fail(const Invocation& invocation, const Error& error) {
  return fail(invocation, error, {}, {});
}

int fail(const Invocation& invocation, const Error& error, const fs::path& file,
         const Problems& problems) {
  write_message(format_problems(file, problems));
  write_message(render_error(error, message_look()));
  if (invocation.has("--json")) {
    const auto written = write_data(error_json(error, problems).dump() + "\n");
    if (!written && written.error().kind != ErrorKind::stopped) return exit_failed;
  }
  return exit_code(error);
}

int finish(std::string_view text, int code) {
  const auto written = write_data(text);
  if (written || written.error().kind == ErrorKind::stopped) return code;
  write_message(render_error(written.error(), message_look()));
  return exit_failed;
}

int finish_json(const Json& object, int code) { return finish(object.dump() + "\n", code); }

}  // namespace tranche
