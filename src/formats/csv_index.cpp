#include "formats/csv_index.h"

#include <bit>

#include "formats/byte_search.h"

#if defined(TRANCHE_TARGET_AVX2)
#include <immintrin.h>
#endif

namespace tranche {
namespace {

constexpr std::uint32_t block_bytes = 64;

// Bit i of the result is the xor of the bits 0 to i.
inline std::uint64_t prefix_xor(std::uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

}  // namespace

CsvIndex::CsvIndex(const CsvDialect& dialect, bool with_fields)
    : delimiter_(dialect.delimiter[0]),
      quote_(dialect.quote == 0 ? '\n' : dialect.quote),
      has_quote_(dialect.quote != 0),
      with_fields_(with_fields) {}

bool CsvIndex::suits(const CsvDialect& dialect) {
  return dialect.delimiter.size() == 1 && dialect.comment == 0 && !dialect.trim &&
         (dialect.quote == 0 || dialect.escape == dialect.quote);
}

void CsvIndex::reserve(std::size_t bytes) {
  // At most every byte is an end, and eight are written at a time.
  const std::size_t wanted = bytes + 2 * block_bytes;
  if (wanted <= ends_capacity_) return;
  ends_ = std::make_unique_for_overwrite<std::uint32_t[]>(wanted);
  ends_capacity_ = wanted;
}

bool CsvIndex::search(const char* base, std::uint32_t begin, std::uint32_t end, bool final) {
  reserve(end - begin);
  end_count_ = 0;
  rows_.clear();
  quoted_line_ends_.clear();
  final_ = final;
  has_returns_ = false;
  Carry carry;
  const char* const p = base + begin;
#if defined(TRANCHE_TARGET_AVX2)
  if (simd_level() == SimdLevel::avx2) {
    if (with_fields_) return search_avx2<true>(p, base + end, begin, carry);
    return search_avx2<false>(p, base + end, begin, carry);
  }
#endif
  if (with_fields_) return search_portable<true>(p, base + end, begin, carry);
  return search_portable<false>(p, base + end, begin, carry);
}

// Takes the structure of 64 bytes. False: a quote breaks the rules.
template <bool with_fields>
[[gnu::always_inline]] inline bool CsvIndex::add(const Block& block, std::uint32_t position,
                                                 Carry& carry) {
  const std::uint64_t line_bytes = block.line_feeds | block.returns;
  std::uint64_t line_ends = line_bytes;
  if ((block.returns | carry.was_return) != 0) {  // the line feed of CRLF ends nothing more
    line_ends &= ~(block.line_feeds & ((block.returns << 1) | carry.was_return));
    carry.was_return = block.returns >> 63;
    has_returns_ = true;
  }
  std::uint64_t separators = with_fields ? line_ends | block.delimiters : line_ends;
  std::uint64_t record_ends = line_ends;
  const std::uint64_t around = line_bytes | block.delimiters | block.quotes;
  if ((block.quotes | carry.in_quotes | carry.closed) != 0) {
    const std::uint64_t in_quotes = prefix_xor(block.quotes) ^ carry.in_quotes;
    const std::uint64_t opening = block.quotes & in_quotes;
    const std::uint64_t closing = block.quotes & ~in_quotes;
    const std::uint64_t wrong = (opening & ~((around << 1) | carry.may_open)) |
                                (((closing << 1) | carry.closed) & ~around);
    if (wrong != 0) return false;
    for (std::uint64_t bits = line_ends & in_quotes; bits != 0; bits &= bits - 1) {
      quoted_line_ends_.push_back(position + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
    separators &= ~in_quotes;
    record_ends &= ~in_quotes;
    carry.in_quotes = static_cast<std::uint64_t>(static_cast<std::int64_t>(in_quotes) >> 63);
    carry.closed = closing >> 63;
    carry.quote_seen = carry.quote_seen || block.quotes != 0;
  }
  carry.may_open = around >> 63;
  const std::size_t before = end_count_;
  const auto count = static_cast<std::size_t>(std::popcount(separators));
  std::uint32_t* out = ends_.get() + before;
  for (std::uint64_t bits = separators; bits != 0; out += 8) {
    for (unsigned i = 0; i < 8; ++i, bits &= bits - 1) {
      out[i] = position + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
  }
  end_count_ = before + count;
  if (record_ends != 0) {
    for (std::uint64_t bits = record_ends; bits != 0; bits &= bits - 1) {
      const std::uint64_t to_here = separators & (bits ^ (bits - 1));
      rows_.push_back({static_cast<std::uint32_t>(before + static_cast<std::size_t>(
                                                               std::popcount(to_here))),
                       carry.quote_seen});
    }
    carry.quote_seen = block.quotes != 0 || carry.in_quotes != 0;
  }
  return true;
}

// The last block, of fewer than 64 bytes.
template <bool with_fields>
[[gnu::always_inline]] inline bool CsvIndex::add_last(Block block, std::uint32_t position,
                                                      std::size_t length, Carry& carry) {
  const std::uint64_t there = (std::uint64_t{1} << length) - 1;
  block.line_feeds &= there;
  block.returns &= there;
  block.delimiters &= there;
  block.quotes &= there;
  // The end of the file ends the record as a line end would. Where more bytes follow, the same mark
  // only keeps a quote at the end from being called wrong: its row is not taken.
  block.line_feeds |= std::uint64_t{1} << length;
  if (!add<with_fields>(block, position, carry)) return false;
  const std::uint32_t end = position + static_cast<std::uint32_t>(length);
  if (!final_ && !rows_.empty() && end_count_ > 0 && ends_[end_count_ - 1] == end) {
    rows_.pop_back();
  }
  return true;
}

template <bool with_fields>
bool CsvIndex::search_portable(const char* p, const char* end, std::uint32_t position,
                               Carry& carry) {
  const ByteSearch<1> line_feeds('\n');
  const ByteSearch<1> returns('\r');
  const ByteSearch<1> delimiters(delimiter_);
  const ByteSearch<1> quotes(quote_);
  const auto bits = [](const ByteSearch<1>& search, const char* at) {
    std::uint64_t found = 0;
    for (unsigned i = 0; i < 4; ++i) {
      found |= std::uint64_t{search.matches(at + 16 * i)} << (16 * i);
    }
    return found;
  };
  while (true) {
    Block block{bits(line_feeds, p), bits(returns, p), bits(delimiters, p),
                has_quote_ ? bits(quotes, p) : 0};
    if (end - p < block_bytes) {
      return add_last<with_fields>(block, position, static_cast<std::size_t>(end - p), carry);
    }
    if (!add<with_fields>(block, position, carry)) return false;
    p += block_bytes;
    position += block_bytes;
  }
}

#if defined(TRANCHE_TARGET_AVX2)
template <bool with_fields>
TRANCHE_TARGET_AVX2 bool CsvIndex::search_avx2(const char* p, const char* end,
                                               std::uint32_t position, Carry& carry) {
  const __m256i line_feed = _mm256_set1_epi8('\n');
  const __m256i carriage_return = _mm256_set1_epi8('\r');
  const __m256i delimiter = _mm256_set1_epi8(delimiter_);
  const __m256i quote = _mm256_set1_epi8(quote_);
  const std::uint64_t quotes_count = has_quote_ ? ~std::uint64_t{0} : 0;
  while (true) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
#define TRANCHE_BITS(needle)                                                                  \
  (static_cast<std::uint64_t>(                                                                \
       static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, needle)))) |    \
   static_cast<std::uint64_t>(                                                                \
       static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, needle))))     \
       << 32)
    const Block block{TRANCHE_BITS(line_feed), TRANCHE_BITS(carriage_return),
                      TRANCHE_BITS(delimiter), TRANCHE_BITS(quote) & quotes_count};
#undef TRANCHE_BITS
    if (end - p < block_bytes) {
      return add_last<with_fields>(block, position, static_cast<std::size_t>(end - p), carry);
    }
    if (!add<with_fields>(block, position, carry)) return false;
    p += block_bytes;
    position += block_bytes;
  }
}
#endif

}  // namespace tranche
