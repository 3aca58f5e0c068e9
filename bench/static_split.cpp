// The limit of the measurement "CPU-bound function": the records are split evenly over threads, and
// each computes its share. No queue, no ledger, no rejects; the scores are summed up, not written.
//
//   static_split FILE THREADS
//
// FILE is what generate_sales writes. Prints the number of records and the sum of their scores.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "score.h"

namespace {

std::string read_all(const char* path) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    std::exit(1);
  }
  std::string bytes;
  std::vector<char> block(std::size_t{1} << 20);
  while (const std::size_t got = std::fread(block.data(), 1, block.size(), file)) {
    bytes.append(block.data(), got);
  }
  std::fclose(file);
  return bytes;
}

// The numbers at the beginning of the records behind the header.
std::vector<std::int64_t> read_ids(const std::string& bytes) {
  std::vector<std::int64_t> ids;
  bool in_quotes = false;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    if (bytes[i] == '"') in_quotes = !in_quotes;
    if (bytes[i] == '\n' && !in_quotes) ids.push_back(std::atoll(bytes.data() + i + 1));
  }
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 3 ? std::atoi(argv[2]) : 0;
  if (threads < 1) {
    std::fputs("usage: static_split FILE THREADS\n", stderr);
    return 2;
  }
  const std::vector<std::int64_t> ids = read_ids(read_all(argv[1]));
  const auto shares = static_cast<std::size_t>(threads);
  std::vector<std::int64_t> sums(shares);
  {
    std::vector<std::jthread> workers;
    for (std::size_t share = 0; share < shares; ++share) {
      workers.emplace_back([&, share] {
        std::int64_t sum = 0;
        for (std::size_t i = ids.size() * share / shares; i < ids.size() * (share + 1) / shares;
             ++i) {
          sum += score(ids[i]);
        }
        sums[share] = sum;
      });
    }
  }
  std::int64_t sum = 0;
  for (const std::int64_t each : sums) sum += each;
  std::printf("%zu|%" PRId64 "\n", ids.size(), sum);
  return 0;
}
