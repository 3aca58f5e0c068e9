// The job of the measurement "work that waits": a function that calls a service which takes 20 ms
// for a record, and AT_ONCE (64) of them at a time.
//
//   wait_sales run [--workers W] [--json]
//
// Reads sales.csv of the working directory and writes out/answers.csv.
#include <tranche/tranche.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <semaphore>
#include <thread>

struct Sale {
  std::int64_t id;
};

struct Answer {
  std::int64_t id;
  std::int64_t square;
};

namespace {

std::counting_semaphore<4096>& service() {
  static std::counting_semaphore<4096> places([] {
    const char* const text = std::getenv("AT_ONCE");
    return text == nullptr ? 64 : std::atoi(text);
  }());
  return places;
}

}  // namespace

int main(int argc, char** argv) {
  const auto job = tranche::job("sales-answers")
                       .step(tranche::step("ask")
                                 .read(tranche::csv("sales.csv")
                                           .option("extra_columns", "undeclared")
                                           .columns({{"id", "bigint"}}))
                                 .process([](const Sale& s) {
                                   service().acquire();
                                   std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                   service().release();
                                   return Answer{s.id, s.id * s.id};
                                 })
                                 .write(tranche::csv("out/answers.csv")));
  return tranche::main(argc, argv, job);
}
