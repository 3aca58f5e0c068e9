// Business logic that waits, as for a service: each call takes MILLISECONDS (20), of which the
// service takes AT_ONCE (64) at a time; the others queue. For tests of `workers: auto`.
//
//   waiting run [--workers W] [--json]
//
// Reads records.csv (id, deed) of the working directory and writes out.csv. What each thread's copy
// of the function did is checked: no two threads may be in one copy at once.
#include <tranche/tranche.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <semaphore>
#include <string_view>
#include <thread>

namespace {

struct Record {
  std::int64_t id;
  std::string_view deed;
};

struct Done {
  std::int64_t id;
  std::string_view deed;
};

int number_of(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Copied for each thread, so nothing in it is shared.
class Logic {
 public:
  Logic() = default;
  Logic(const Logic&) {}
  std::optional<Done> operator()(const Record& record) {
    if (is_in_use_.exchange(true)) std::abort();  // another thread is in this copy
    const std::unique_ptr<std::atomic<bool>, void (*)(std::atomic<bool>*)> in_use(
        &is_in_use_, [](std::atomic<bool>* flag) { flag->store(false); });
    static std::counting_semaphore<1024> service(number_of("AT_ONCE", 64));
    static const std::chrono::milliseconds call(number_of("MILLISECONDS", 20));
    service.acquire();
    std::this_thread::sleep_for(call);
    service.release();
    if (record.deed == "reject") throw tranche::Reject("rejected by the logic");
    if (record.deed == "filter") return std::nullopt;
    if (record.deed == "abort") std::abort();
    while (record.deed == "hang") std::this_thread::sleep_for(std::chrono::seconds(1));
    return Done{record.id, record.deed};
  }

 private:
  std::atomic<bool> is_in_use_{false};
};

}  // namespace

int main(int argc, char** argv) {
  const auto job =
      tranche::job("waiting")
          .step(tranche::step("work")
                    .read(tranche::csv("records.csv")
                              .columns({{"id", "bigint"}, {"deed", "varchar"}}))
                    .process(Logic())
                    .write(tranche::csv("out.csv"))
                    .on_error(tranche::max_rejects(1'000'000)));
  return tranche::main(argc, argv, job);
}
