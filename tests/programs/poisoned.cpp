// Business logic that goes wrong on chosen records, in every way that logic can: what a record of
// records.csv says at `deed` is what happens to it. For tests of isolation.
//
//   poisoned run [--workers W] [--json]
//
// Reads records.csv (id, deed) of the working directory and writes out.csv.
#include <tranche/tranche.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Record {
  std::int64_t id;
  std::string_view deed;
};

struct Done {
  std::int64_t id;
  std::int64_t square;
};

// Not optimised into a loop: each call keeps its array.
__attribute__((noinline)) int overflow_stack(volatile char* before, std::uint64_t depth) {
  volatile char block[4096];
  block[0] = before == nullptr ? '\0' : before[0];
  return depth == 0 ? 0 : overflow_stack(block, depth - 1) + block[0];
}

[[noreturn]] void hang() {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

[[noreturn]] void spin() {
  for (volatile std::uint64_t turns = 0;;) turns = turns + 1;
}

[[noreturn]] void allocate_without_end() {
  constexpr std::size_t block_bytes = std::size_t{16} << 20;
  for (std::vector<char*> blocks;;) {
    blocks.push_back(new char[block_bytes]);
    std::memset(blocks.back(), 1, block_bytes);
  }
}

// Memory that is not the process's own, so that no limit of its own counts it.
[[noreturn]] void share_without_end() {
  constexpr std::size_t block_bytes = std::size_t{16} << 20;
  for (;;) {
    void* const block =
        ::mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) std::abort();
    std::memset(block, 1, block_bytes);
  }
}

void make_noise() {
  for (int line = 0; line < 100; ++line) std::puts("{\"noise\": \"this is no summary\"}");
  std::fflush(stdout);
}

void leak_descriptors(int count) {
  for (int i = 0; i < count; ++i) {
    if (::open("/dev/null", O_RDONLY) < 0) return;
  }
}

void do_deed(std::string_view deed) {
  if (deed == "segfault") ::raise(SIGSEGV);
  if (deed == "null") *reinterpret_cast<volatile int*>(std::strtoull("8", nullptr, 10)) = 1;
  if (deed == "abort") std::abort();
  if (deed == "exit") std::exit(3);
  if (deed == "exit0") std::exit(0);
  if (deed == "throw") throw std::runtime_error("thrown by the record");
  if (deed == "throw int") throw 7;
  if (deed == "hang") hang();
  if (deed == "spin") spin();
  if (deed == "overflow") overflow_stack(nullptr, UINT64_MAX);
  if (deed == "allocate") allocate_without_end();
  if (deed == "share") share_without_end();
  if (deed == "stop") ::raise(SIGSTOP);
  if (deed == "noise") make_noise();
  if (deed == "leak") leak_descriptors(100);
  if (deed == "leak all") leak_descriptors(1 << 20);
  if (deed == "child") {  // that outlives its worker, unless somebody ends it
    if (::fork() == 0) ::execlp("sleep", "sleep", "1000", nullptr);
  }
  if (deed == "jitter") std::this_thread::sleep_for(std::chrono::microseconds(std::rand() % 2000));
}

}  // namespace

int main(int argc, char** argv) {
  const auto job =
      tranche::job("poisoned")
          .step(tranche::step("work")
                    .read(tranche::csv("records.csv")
                              .columns({{"id", "bigint"}, {"deed", "varchar"}}))
                    .batch_rows(20'000)
                    .process([](const Record& record) {
                      if (record.deed != "good") [[unlikely]] do_deed(record.deed);
                      return Done{record.id, record.id * record.id};
                    })
                    .write(tranche::csv("out.csv"))
                    .on_error(tranche::max_rejects(1'000'000)));
  return tranche::main(argc, argv, job);
}
