#include "formats/csv_index.h"

#include <algorithm>
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
      return_ends_lines_(dialect.return_ends_lines),
      with_fields_(with_fields) {}

bool CsvIndex::suits(const CsvDialect& dialect) {
  return dialect.delimiter.size() == 1 && dialect.comment == 0 && !dialect.trim &&
         (dialect.quote == 0 || dialect.escape == dialect.quote);
}

void CsvIndex::reserve(std::size_t bytes) {
  // At most every byte is an end, and up to sixteen are written at a time.
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
  if (with_fields_) return search_from<true>(p, base + end, begin, carry);
  return search_from<false>(p, base + end, begin, carry);
}

// Follows the quotes through 64 bytes; `around`: all bytes that have a meaning. False: one of them
// breaks the rules.
[[gnu::always_inline]] inline bool CsvIndex::follow_quotes(const Block& block, std::uint64_t around,
                                                           Carry& carry, std::uint64_t& in_quotes) {
  in_quotes = block.quotes_to_here ^ carry.in_quotes;
  const std::uint64_t opening = block.quotes & in_quotes;
  const std::uint64_t closing = block.quotes & ~in_quotes;
  const std::uint64_t wrong =
      (opening & ~((around << 1) | carry.may_open)) | (((closing << 1) | carry.closed) & ~around);
  carry.in_quotes = static_cast<std::uint64_t>(static_cast<std::int64_t>(in_quotes) >> 63);
  carry.closed = closing >> 63;
  return wrong == 0;
}

// Finds what ends lines in 64 bytes with a CR in or just before them. False: one stands outside
// quotes and ends nothing.
[[gnu::always_inline]] inline bool CsvIndex::follow_returns(const Block& block, Carry& carry,
                                                            std::uint64_t& line_ends) {
  has_returns_ = true;
  const std::uint64_t behind_returns = (block.returns << 1) | carry.was_return;
  carry.was_return = block.returns >> 63;
  line_ends &= ~(block.line_feeds & behind_returns);  // the line feed of CRLF ends nothing more
  if (return_ends_lines_) return true;
  const std::uint64_t in_quotes = block.quotes_to_here ^ carry.in_quotes;
  const std::uint64_t behind_quoted = (in_quotes << 1) | (carry.in_quotes & 1);
  line_ends = (line_ends & ~in_quotes) | (block.line_feeds & in_quotes);
  return (behind_returns & ~block.line_feeds & ~behind_quoted) == 0;
}

// Finds the structure of 64 bytes. False: a quote or a CR breaks the rules.
template <bool with_fields>
[[gnu::always_inline]] inline bool CsvIndex::find(const Block& block, std::uint32_t position,
                                                  Carry& carry, Found& found) {
  const std::uint64_t line_bytes = block.line_feeds | block.returns;
  std::uint64_t line_ends = line_bytes;
  if ((block.returns | carry.was_return) != 0 && !follow_returns(block, carry, line_ends)) {
    return false;
  }
  std::uint64_t separators = with_fields ? line_ends | block.delimiters : line_ends;
  std::uint64_t record_ends = line_ends;
  const std::uint64_t around = line_bytes | block.delimiters | block.quotes;
  if ((block.quotes | carry.in_quotes | carry.closed) != 0) {
    std::uint64_t in_quotes = 0;
    if (!follow_quotes(block, around, carry, in_quotes)) return false;
    for (std::uint64_t bits = line_ends & in_quotes; bits != 0; bits &= bits - 1) {
      quoted_line_ends_.push_back(position + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
    separators &= ~in_quotes;
    record_ends &= ~in_quotes;
  }
  carry.may_open = around >> 63;
  found = {separators, record_ends, block.quotes};
  return true;
}

// Takes what was found, once its separators have been written behind the other ends.
[[gnu::always_inline]] inline void CsvIndex::take_rows(const Found& found, Carry& carry) {
  std::uint64_t quotes = found.quotes;
  for (std::uint64_t bits = found.record_ends; bits != 0; bits &= bits - 1) {
    const std::uint64_t to_here = bits ^ (bits - 1);
    const auto ends = static_cast<std::size_t>(std::popcount(found.separators & to_here));
    rows_.push_back({static_cast<std::uint32_t>(end_count_ + ends),
                     carry.quote_seen || (quotes & to_here) != 0});
    quotes &= ~to_here;
    carry.quote_seen = false;
  }
  carry.quote_seen = carry.quote_seen || quotes != 0;
  end_count_ += static_cast<std::size_t>(std::popcount(found.separators));
}

// Counts 64 bytes. False: they need a closer look, and nothing of them is counted.
[[gnu::always_inline]] inline bool CsvIndex::count_block(const Block& block, std::uint64_t position,
                                                         CountCarry& carry) {
  std::uint64_t in_quotes = 0;
  const std::uint64_t around = block.line_feeds | block.delimiters | block.quotes;
  const bool follows = follow_quotes(block, around, carry, in_quotes);
  const std::uint64_t record_ends = block.line_feeds & ~in_quotes;
  const std::uint64_t empty = record_ends & ((record_ends << 1) | carry.after_end);
  if (!follows || (block.returns | empty) != 0) [[unlikely]]
    return false;
  carry.may_open = around >> 63;
  carry.after_end = record_ends >> 63;
  if (record_ends != 0) carry.last = {position, record_ends, block.line_feeds, carry.lines};
  carry.records += static_cast<unsigned>(std::popcount(record_ends));
  carry.lines += static_cast<unsigned>(std::popcount(block.line_feeds));
  return true;
}

CsvIndex::Count CsvIndex::CountCarry::counted() const {
  const std::uint64_t to_end =
      last.record_ends == 0 ? 0 : ~std::uint64_t{0} >> std::countl_zero(last.record_ends);
  const auto lines_to_end = static_cast<unsigned>(std::popcount(last.line_feeds & to_end));
  return {records, last.lines_before + lines_to_end, last.end()};
}

// How many blocks from `at` on hold no limit, whatever is in them.
inline std::uint64_t CsvIndex::blocks_within(const CountLimits& limits, const CountCarry& carry,
                                             std::uint64_t at) {
  constexpr std::uint64_t block_records_max = block_bytes / 2;  // there are no empty ones
  if (carry.records >= limits.records_max || at >= limits.end_wanted) return 0;
  const std::uint64_t of_records = (limits.records_max - carry.records - 1) / block_records_max;
  const std::uint64_t of_end = (limits.end_wanted - at - 1) / block_bytes;
  const std::uint64_t open_bytes = at - carry.last.end();
  const std::uint64_t of_record = limits.record_bytes_max < open_bytes
                                      ? 0
                                      : (limits.record_bytes_max - open_bytes) / block_bytes;
  return std::min({of_records, of_end, of_record});
}

// What is counted up to a limit that lies in the last block.
CsvIndex::Count CsvIndex::cut(const LastEnds& ends, std::uint64_t records_before,
                              const CountLimits& limits) {
  CountCarry counted;
  counted.records = records_before;
  counted.last = ends;
  counted.last.record_ends = 0;
  for (std::uint64_t bits = ends.record_ends; bits != 0; bits &= bits - 1) {
    ++counted.records;
    counted.last.record_ends |= bits & -bits;
    if (counted.records >= limits.records_max || counted.last.end() >= limits.end_wanted) break;
  }
  return counted.counted();
}

// Looks at 64 bytes with what every machine has.
class CsvIndex::PortableLook {
 public:
  explicit PortableLook(const CsvIndex& index)
      : delimiters_(index.delimiter_), quotes_(index.quote_), has_quote_(index.has_quote_) {}
  Block at(const char* p) const {
    const std::uint64_t quotes = has_quote_ ? bits(quotes_, p) : 0;
    return {bits(line_feeds_, p), bits(returns_, p), bits(delimiters_, p), quotes,
            prefix_xor(quotes)};
  }
  // Writes where the bits stand, from `position` on, and maybe something behind that.
  [[gnu::always_inline]] static void write_places(std::uint64_t bits, std::uint32_t position,
                                                  std::uint32_t* out) {
    for (; bits != 0; out += 8) {
      for (unsigned i = 0; i < 8; ++i, bits &= bits - 1) {
        out[i] = position + static_cast<std::uint32_t>(std::countr_zero(bits));
      }
    }
  }

 private:
  static std::uint64_t bits(const ByteSearch<1>& search, const char* p) {
    std::uint64_t found = 0;
    for (unsigned i = 0; i < 4; ++i) {
      found |= std::uint64_t{search.matches(p + 16 * i)} << (16 * i);
    }
    return found;
  }
  const ByteSearch<1> line_feeds_{'\n'};
  const ByteSearch<1> returns_{'\r'};
  const ByteSearch<1> delimiters_;
  const ByteSearch<1> quotes_;
  const bool has_quote_;
};

// The loops of all levels. What looks is not always_inline: g++ would take it in before these are
// in a function that is compiled for its level.
template <class Look>
[[gnu::always_inline]] inline CsvIndex::Count CsvIndex::count_by(const Look& look, const char* base,
                                                                 std::uint32_t begin,
                                                                 std::uint32_t end,
                                                                 const CountLimits& limits) {
  CountCarry carry;
  carry.last.position = begin;
  // Of the last 64 bytes, or what there is of them, nothing is said.
  const std::uint32_t stop = begin + (std::max(end - begin, 1U) - 1) / block_bytes * block_bytes;
  for (std::uint32_t at = begin; at < stop;) {
    const auto blocks = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(blocks_within(limits, carry, at), (stop - at) / block_bytes));
    for (const std::uint32_t to = at + blocks * block_bytes; at < to; at += block_bytes) {
      if (!count_block(look.at(base + at), at, carry)) return carry.counted();
    }
    if (at == stop || at + block_bytes - carry.last.end() > limits.record_bytes_max) break;
    const std::uint64_t records_before = carry.records;
    if (!count_block(look.at(base + at), at, carry)) break;
    if (carry.records >= limits.records_max || carry.last.end() >= limits.end_wanted)
      return cut(carry.last, records_before, limits);
    at += block_bytes;
  }
  return carry.counted();
}

template <bool with_fields, class Look>
[[gnu::always_inline]] inline bool CsvIndex::search_by(const Look& look, const char* p,
                                                       const char* end, std::uint32_t position,
                                                       Carry& carry) {
  Found found;
  for (; end - p >= block_bytes; p += block_bytes, position += block_bytes) {
    if (!find<with_fields>(look.at(p), position, carry, found)) return false;
    look.write_places(found.separators, position, ends_.get() + end_count_);
    take_rows(found, carry);
  }
  return add_last<with_fields>(look.at(p), position, static_cast<std::size_t>(end - p), carry);
}

// The last block, of fewer than 64 bytes.
template <bool with_fields>
bool CsvIndex::add_last(Block block, std::uint32_t position, std::size_t length, Carry& carry) {
  const std::uint64_t there = (std::uint64_t{1} << length) - 1;
  block.line_feeds &= there;
  block.returns &= there;
  block.delimiters &= there;
  block.quotes &= there;
  // The end of the file ends the record as a line end would. Where more bytes follow, the same mark
  // only keeps a quote at the end from being called wrong: its row is not taken.
  block.line_feeds |= std::uint64_t{1} << length;
  Found found;
  if (!find<with_fields>(block, position, carry, found)) return false;
  PortableLook::write_places(found.separators, position, ends_.get() + end_count_);
  take_rows(found, carry);
  const std::uint32_t end = position + static_cast<std::uint32_t>(length);
  if (!final_ && !rows_.empty() && end_count_ > 0 && ends_[end_count_ - 1] == end) {
    rows_.pop_back();
  }
  return true;
}

#if defined(TRANCHE_TARGET_AVX2)
// The same, for functions that are compiled for AVX2.
class CsvIndex::Avx2Look {
 public:
  TRANCHE_TARGET_AVX2 explicit Avx2Look(const CsvIndex& index)
      : line_feed_(_mm256_set1_epi8('\n')),
        return_(_mm256_set1_epi8('\r')),
        delimiter_(_mm256_set1_epi8(index.delimiter_)),
        quote_(_mm256_set1_epi8(index.quote_)),
        counts_quotes_(index.has_quote_ ? ~std::uint64_t{0} : 0) {}
  TRANCHE_TARGET_AVX2 Block at(const char* p) const {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    const std::uint64_t quotes = bits(low, high, quote_) & counts_quotes_;
    return {bits(low, high, line_feed_), bits(low, high, return_), bits(low, high, delimiter_),
            quotes, prefix_xor_by_product(quotes)};
  }
  static void write_places(std::uint64_t bits, std::uint32_t position, std::uint32_t* out) {
    PortableLook::write_places(bits, position, out);
  }
  // The product without carries with a number of nothing but ones.
  [[gnu::always_inline]] TRANCHE_TARGET_AVX2 static std::uint64_t prefix_xor_by_product(
      std::uint64_t bits) {
    const __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(bits)), _mm_set1_epi8(-1), 0);
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
  }

 private:
  [[gnu::always_inline]] TRANCHE_TARGET_AVX2 static std::uint64_t bits(__m256i low, __m256i high,
                                                                       __m256i needle) {
    const auto mask = [](__m256i found) TRANCHE_TARGET_AVX2 {
      return std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(found))};
    };
    return mask(_mm256_cmpeq_epi8(low, needle)) | mask(_mm256_cmpeq_epi8(high, needle)) << 32;
  }
  const __m256i line_feed_;
  const __m256i return_;
  const __m256i delimiter_;
  const __m256i quote_;
  const std::uint64_t counts_quotes_;
};

#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says it of its own header
#endif
// The same for AVX-512: one comparison gives the bits of all 64 bytes, and one instruction packs
// the numbers of the bytes whose bits are set.
class CsvIndex::Avx512Look {
 public:
  TRANCHE_TARGET_AVX512 explicit Avx512Look(const CsvIndex& index)
      : line_feed_(_mm512_set1_epi8('\n')),
        return_(_mm512_set1_epi8('\r')),
        delimiter_(_mm512_set1_epi8(index.delimiter_)),
        quote_(_mm512_set1_epi8(index.quote_)),
        counts_quotes_(index.has_quote_ ? ~std::uint64_t{0} : 0) {
    alignas(64) char numbers[block_bytes];
    for (unsigned i = 0; i < block_bytes; ++i) numbers[i] = static_cast<char>(i);
    numbers_ = _mm512_load_si512(numbers);
  }
  TRANCHE_TARGET_AVX512 Block at(const char* p) const {
    const __m512i bytes = _mm512_loadu_si512(p);
    const std::uint64_t quotes = _mm512_cmpeq_epi8_mask(bytes, quote_) & counts_quotes_;
    return {_mm512_cmpeq_epi8_mask(bytes, line_feed_), _mm512_cmpeq_epi8_mask(bytes, return_),
            _mm512_cmpeq_epi8_mask(bytes, delimiter_), quotes,
            Avx2Look::prefix_xor_by_product(quotes)};
  }
  TRANCHE_TARGET_AVX512 void write_places(std::uint64_t bits, std::uint32_t position,
                                          std::uint32_t* out) const {
    __m512i places = _mm512_maskz_compress_epi8(bits, numbers_);
    const __m512i from = _mm512_set1_epi32(static_cast<int>(position));
    for (int left = std::popcount(bits); left > 0; left -= 16, out += 16) {
      const __m512i wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
      _mm512_storeu_si512(out, _mm512_add_epi32(wide, from));
      places = _mm512_shuffle_i32x4(places, places, 0b00'11'10'01);
    }
  }

 private:
  const __m512i line_feed_;
  const __m512i return_;
  const __m512i delimiter_;
  const __m512i quote_;
  const std::uint64_t counts_quotes_;
  __m512i numbers_;
};

TRANCHE_TARGET_AVX2 CsvIndex::Count CsvIndex::count_avx2(const char* base, std::uint32_t begin,
                                                         std::uint32_t end,
                                                         const CountLimits& limits) const {
  return count_by(Avx2Look(*this), base, begin, end, limits);
}
TRANCHE_TARGET_AVX512 CsvIndex::Count CsvIndex::count_avx512(const char* base, std::uint32_t begin,
                                                             std::uint32_t end,
                                                             const CountLimits& limits) const {
  return count_by(Avx512Look(*this), base, begin, end, limits);
}

template <bool with_fields>
TRANCHE_TARGET_AVX2 bool CsvIndex::search_avx2(const char* p, const char* end,
                                               std::uint32_t position, Carry& carry) {
  return search_by<with_fields>(Avx2Look(*this), p, end, position, carry);
}
template <bool with_fields>
TRANCHE_TARGET_AVX512 bool CsvIndex::search_avx512(const char* p, const char* end,
                                                   std::uint32_t position, Carry& carry) {
  return search_by<with_fields>(Avx512Look(*this), p, end, position, carry);
}
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

CsvIndex::Count CsvIndex::count(const char* base, std::uint32_t begin, std::uint32_t end,
                                const CountLimits& limits) const {
#if defined(TRANCHE_TARGET_AVX2)
  if (simd_level() == SimdLevel::avx512) return count_avx512(base, begin, end, limits);
  if (simd_level() == SimdLevel::avx2) return count_avx2(base, begin, end, limits);
#endif
  return count_by(PortableLook(*this), base, begin, end, limits);
}

template <bool with_fields>
bool CsvIndex::search_from(const char* p, const char* end, std::uint32_t position, Carry& carry) {
#if defined(TRANCHE_TARGET_AVX2)
  if (simd_level() == SimdLevel::avx512) return search_avx512<with_fields>(p, end, position, carry);
  if (simd_level() == SimdLevel::avx2) return search_avx2<with_fields>(p, end, position, carry);
#endif
  return search_by<with_fields>(PortableLook(*this), p, end, position, carry);
}

}  // namespace tranche
