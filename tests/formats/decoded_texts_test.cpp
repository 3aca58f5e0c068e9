#include "formats/decoded_texts.h"

#include <zlib.h>

#include <random>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "formats/text_compressor.h"

namespace tranche {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

std::string pack(std::string_view text, Compression compression, int level = 0) {
  const auto compressor =
      make_text_compressor({.compression = compression, .level = level}).value();
  EXPECT_TRUE(compressor->add(text));
  return compressor->finish().value();
}

std::string numbers(std::size_t bytes, unsigned seed = 1) {
  std::mt19937 draw(seed);
  std::string text;
  while (text.size() < bytes) text += fmt::format("{},{}\n", text.size(), draw());
  return text;
}

class CodedFiles : public TemporaryFolder {
 protected:
  std::shared_ptr<DecodedTexts> texts(const std::string& name, const TextCoding& coding,
                                      std::uint64_t checkpoint_bytes = mebibyte) {
    const auto bytes = file_status(at(name)).value().bytes;
    return std::make_shared<DecodedTexts>(
        std::vector<CodedFile>{{at(name), name, bytes, coding}}, checkpoint_bytes);
  }

  // All of the text, in reads of `piece` bytes.
  static Result<std::string> read(const DecodedTexts& texts, std::size_t piece = 100'000,
                                  DecodedTexts::Reader who = DecodedTexts::Reader::ahead) {
    const TextFile file = texts.open(0, who);
    std::string all;
    std::string buffer(piece, '\0');
    while (true) {
      TRANCHE_ASSIGN(const std::size_t count, file.read_at(buffer.data(), piece, all.size()));
      all.append(buffer.data(), count);
      if (count < piece) return all;
    }
  }

  static std::string read_at(const DecodedTexts& texts, std::uint64_t offset, std::size_t bytes) {
    std::string buffer(bytes, '\0');
    const auto count =
        texts.open(0, DecodedTexts::Reader::behind).read_at(buffer.data(), bytes, offset);
    EXPECT_TRUE(count) << count.error().message;
    buffer.resize(count ? *count : 0);
    return buffer;
  }

  std::string error_of(const std::string& name, const TextCoding& coding) {
    const auto text = read(*texts(name, coding));
    return text ? "no error" : text.error().message;
  }
};

constexpr TextCoding gzip{.compression = Compression::gzip};
constexpr TextCoding zstd{.compression = Compression::zstd};

TEST_F(CodedFiles, IsWhatWasPackedInOnePieceOrMany) {
  const std::string text = numbers(3 * mebibyte);
  for (const TextCoding& coding : {gzip, zstd}) {
    std::string many;
    for (std::size_t i = 0; i < text.size(); i += 700'000) {
      many += pack(std::string_view(text).substr(i, 700'000), coding.compression, 1);
      many += pack("", coding.compression);  // empty ones are none the less
    }
    put("one", pack(text, coding.compression));
    put("many", many);
    put("none", "");
    EXPECT_EQ(read(*texts("one", coding)).value(), text);
    EXPECT_EQ(read(*texts("many", coding), 1'000'003).value(), text);
    EXPECT_EQ(read(*texts("none", coding)).value(), "");
  }
}

TEST_F(CodedFiles, HeadersOfGzipMayHoldWhatTheyLike) {
  const std::string plain = pack("text\n", Compression::gzip);
  std::string rich("\x1F\x8B\x08\x1E\1\2\3\4\2\xFF", 10);  // everything but ASCII
  rich += std::string("\3\0abc", 5) + std::string("name\0", 5) + std::string("note\0", 5);
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(rich.data()),
                          static_cast<uInt>(rich.size()));
  std::string damaged = rich;
  rich += static_cast<char>(sum & 0xFF);
  rich += static_cast<char>((sum >> 8) & 0xFF);
  damaged += static_cast<char>(~sum & 0xFF);
  damaged += static_cast<char>((sum >> 8) & 0xFF);
  put("rich.gz", rich + plain.substr(10));
  put("damaged.gz", damaged + plain.substr(10));
  EXPECT_EQ(read(*texts("rich.gz", gzip)).value(), "text\n");
  EXPECT_NE(error_of("damaged.gz", gzip).find("header"), std::string::npos);
}

TEST_F(CodedFiles, FramesOfZstdThatAreToBeSkippedAreSkipped) {
  const std::string skipped("\x5A\x2A\x4D\x18\x05\0\0\0hello", 13);
  put("a.zst", skipped + pack("a\n", Compression::zstd) + skipped + skipped +
                   pack("b\n", Compression::zstd) + skipped);
  EXPECT_EQ(read(*texts("a.zst", zstd)).value(), "a\nb\n");
}

TEST_F(CodedFiles, AFileThatIsCutAnywhereIsAnErrorThatSaysWhere) {
  const std::string text = numbers(700);
  for (const TextCoding& coding : {gzip, zstd}) {
    const std::string first = pack(std::string_view(text).substr(0, 400), coding.compression);
    const std::string whole =
        first + pack(std::string_view(text).substr(400), coding.compression);
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
      put("cut", whole.substr(0, cut));
      const auto found = read(*texts("cut", coding));
      if (cut == first.size()) {  // this is a whole file too
        EXPECT_EQ(found.value(), text.substr(0, 400));
        continue;
      }
      ASSERT_FALSE(found) << cut;
      EXPECT_EQ(found.error().kind, ErrorKind::failed);
      EXPECT_NE(found.error().message.find("cut is cut off"), std::string::npos)
          << cut << ": " << found.error().message;
      EXPECT_NE(found.error().message.find(fmt::format("at byte {} of the file", cut)),
                std::string::npos)
          << cut << ": " << found.error().message;
    }
  }
}

TEST_F(CodedFiles, ADamagedByteIsNeverTakenForText) {
  const std::string text = numbers(2'000);
  for (const TextCoding& coding : {gzip, zstd}) {
    const std::string whole = pack(text, coding.compression);
    const std::size_t first = coding.compression == Compression::gzip ? 10 : 4;
    for (std::size_t at = first; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      put("damaged", damaged);
      const auto found = read(*texts("damaged", coding));
      if (found) {
        EXPECT_EQ(*found, text) << at;  // bits that mean nothing
        continue;
      }
      EXPECT_EQ(found.error().kind, ErrorKind::failed) << at;
    }
  }
}

TEST_F(CodedFiles, WhatFollowsTheLastPieceIsAnErrorWithItsPlace) {
  for (const TextCoding& coding : {gzip, zstd}) {
    const std::string packed = pack("a,b\n1,2\n", coding.compression);
    for (const std::string& garbage : {std::string("no more of it"), std::string(512, '\0')}) {
      put("more", packed + garbage);
      const std::string error = error_of("more", coding);
      EXPECT_NE(error.find(fmt::format("from byte {} of the file on, behind byte 8 of its text",
                                       packed.size())),
                std::string::npos)
          << error;
    }
  }
}

TEST_F(CodedFiles, IsReadFromCheckpointsWithoutWhatIsBeforeThem) {
  const std::string text = numbers(9 * mebibyte);
  std::string frames;
  for (std::size_t i = 0; i < text.size(); i += mebibyte / 2) {
    frames += pack(std::string_view(text).substr(i, mebibyte / 2), Compression::zstd, 1);
  }
  put("a.gz", pack(text, Compression::gzip, 1));
  put("a.zst", frames);
  for (const TextCoding& coding : {gzip, zstd}) {
    const std::string name = coding.compression == Compression::gzip ? "a.gz" : "a.zst";
    auto first = texts(name, coding);
    first->use_checkpoints({});
    ASSERT_EQ(read(*first).value(), text);
    const auto checkpoints = first->take_checkpoints();
    EXPECT_GE(checkpoints.size(), 5U) << name;
    EXPECT_TRUE(first->take_checkpoints().empty());
    for (std::size_t i = 0; i < checkpoints.size(); ++i) {
      EXPECT_LT(checkpoints[i].state.size(), 33'000U);
      // What is before the checkpoint is not looked at: it may be anything.
      std::string rest = read_file(at(name)).value();
      for (std::size_t at = 0; at + 1 < checkpoints[i].file_offset; ++at) rest[at] = 'x';
      put("rest", rest);
      auto again = texts("rest", coding);
      again->use_checkpoints({checkpoints[i]});
      const std::uint64_t from = checkpoints[i].offset;
      EXPECT_EQ(read_at(*again, from, text.size()), text.substr(from)) << name << " " << from;
      if (from + 20'000 > text.size()) continue;
      auto inside = texts("rest", coding);
      inside->use_checkpoints({checkpoints[i]});
      EXPECT_EQ(inside->bytes_before(0, from + 1000), 1000U);
      EXPECT_EQ(read_at(*inside, from + 12'345, 77), text.substr(from + 12'345, 77));
    }
  }
}

TEST_F(CodedFiles, AResumedMemberIsStillCheckedAtItsEnd) {
  put("a.gz", pack(numbers(3 * mebibyte), Compression::gzip, 1));
  auto first = texts("a.gz", gzip);
  first->use_checkpoints({});
  ASSERT_TRUE(read(*first));
  const auto checkpoints = first->take_checkpoints();
  ASSERT_FALSE(checkpoints.empty());
  std::string damaged = read_file(at("a.gz")).value();
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);
  put("a.gz", damaged);
  auto again = texts("a.gz", gzip);
  again->use_checkpoints({checkpoints.back()});
  std::string buffer(4 * mebibyte, '\0');
  const auto found = again->open(0, DecodedTexts::Reader::ahead)
                         .read_at(buffer.data(), buffer.size(), checkpoints.back().offset);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("checksum"), std::string::npos);
}

TEST_F(CodedFiles, ThePlannerGoesOnWhereTheWorkersHaveCome) {
  const std::string text = numbers(6 * mebibyte);
  put("a.zst", pack(text, Compression::zstd, 1));  // one frame: no place to begin but its beginning
  auto shared = texts("a.zst", zstd);
  EXPECT_EQ(read_at(*shared, 4 * mebibyte, 1000), text.substr(4 * mebibyte, 1000));
  File file = File::open_write(at("a.zst")).value();
  ASSERT_TRUE(file.write_at(std::string(100'000, 'x'), 0));  // who begins anew finds this
  std::string buffer(mebibyte, '\0');
  const auto count = shared->open(0, DecodedTexts::Reader::ahead)
                         .read_at(buffer.data(), buffer.size(), 5 * mebibyte - 100'000);
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(buffer, text.substr(5 * mebibyte - 100'000, buffer.size()));
}

TEST_F(CodedFiles, ManyReadersInAnyOrderReadTheSame) {
  const std::string text = numbers(6 * mebibyte);
  put("a.gz", pack(text, Compression::gzip, 1));
  auto shared = texts("a.gz", gzip);
  shared->keep(mebibyte);  // far less than what is read
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::vector<std::thread> readers;
  std::atomic<int> differences = 0;
  for (unsigned number = 0; number < 4; ++number) {
    readers.emplace_back([&, number] {
      std::mt19937 draw(seed + number);
      const auto who = number == 0 ? DecodedTexts::Reader::ahead : DecodedTexts::Reader::behind;
      const TextFile file = shared->open(0, who);
      std::string buffer(300'000, '\0');
      for (int i = 0; i < 30; ++i) {
        const std::uint64_t offset = draw() % text.size();
        const auto count = file.read_at(buffer.data(), buffer.size(), offset);
        if (!count || buffer.substr(0, *count) != text.substr(offset, buffer.size())) {
          ++differences;
        }
      }
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(differences, 0);
}

TEST_F(CodedFiles, IsRefusedWhenTheFileHasAnotherSizeThanItHad) {
  put("a.gz", pack("a\n", Compression::gzip));
  auto made = texts("a.gz", gzip);
  put("a.gz", pack("a\nb\n", Compression::gzip) + "x");
  const auto found = read(*made);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("--accept input"), std::string::npos);
}

std::string utf16(std::u16string_view text, bool big) {
  std::string bytes;
  for (const char16_t unit : text) {
    const char low = static_cast<char>(unit & 0xFF);
    const char high = static_cast<char>(unit >> 8);
    bytes += big ? high : low;
    bytes += big ? low : high;
  }
  return bytes;
}

TEST_F(CodedFiles, ConvertsUtf16OfBothOrdersWithAndWithoutMark) {
  const std::u16string text = u"id,näme\n1,€ 𝄞 and a long row of plain letters\n";
  const std::string expected =
      "id,n\u00E4me\n1,\u20AC \U0001D11E and a long row of plain letters\n";
  for (const bool big : {false, true}) {
    const std::string mark = utf16(u"\uFEFF", big);
    put("marked", mark + utf16(text, big));
    put("bare", utf16(text, big));
    const Encoding own = big ? Encoding::utf16be : Encoding::utf16le;
    const Encoding other = big ? Encoding::utf16le : Encoding::utf16be;
    EXPECT_EQ(read(*texts("marked", {.encoding = Encoding::utf16})).value(), expected);
    EXPECT_EQ(read(*texts("marked", {.encoding = own})).value(), expected);
    EXPECT_EQ(read(*texts("bare", {.encoding = own})).value(), expected);
    EXPECT_NE(error_of("marked", {.encoding = other}).find("other order"), std::string::npos);
    EXPECT_NE(error_of("bare", {.encoding = Encoding::utf16}).find("no byte order mark"),
              std::string::npos);
    put("empty", "");
    EXPECT_EQ(read(*texts("empty", {.encoding = Encoding::utf16})).value(), "");
  }
}

TEST_F(CodedFiles, BrokenUtf16BecomesBytesThatNoRecordMayHave) {
  const std::u16string text = {u'a', 0xD834, u'b', 0xDD1E, u'c', 0xD834};
  put("broken", utf16(text, false) + "x");
  EXPECT_EQ(read(*texts("broken", {.encoding = Encoding::utf16le})).value(),
            "a\xED\xA0\xB4" "b\xED\xB4\x9E" "c\xED\xA0\xB4\xFF");
  EXPECT_EQ(describe_broken_utf16("a\xED\xA0\xB4" "b", 10).value(),
            "The surrogate U+D834 of UTF-16 at byte 11 of the text has no other half.");
  EXPECT_NE(describe_broken_utf16("a\xFF", 10).value().find("byte 11"), std::string::npos);
  EXPECT_FALSE(describe_broken_utf16("\u00ED \uD7FF", 0));
}

TEST_F(CodedFiles, ConvertsLatin1ByteByByte) {
  std::string bytes;
  std::string expected;
  for (int i = 1; i < 256; ++i) {
    bytes += static_cast<char>(i);
    if (i >= 128) expected += static_cast<char>(0xC0 | (i >> 6));
    expected += static_cast<char>(i < 128 ? i : 0x80 | (i & 0x3F));
  }
  put("a", bytes);
  EXPECT_EQ(read(*texts("a", {.encoding = Encoding::latin1})).value(), expected);
  put("marked", "\xEF\xBB\xBFid\n");
  EXPECT_NE(error_of("marked", {.encoding = Encoding::latin1}).find("UTF-8"), std::string::npos);
}

TEST_F(CodedFiles, AnEncodingInsideACompressionHasCheckpointsToo) {
  std::u16string text;
  for (int i = 0; text.size() < 3 * mebibyte; ++i) {
    for (const char c : fmt::format("{},", i)) text += static_cast<char16_t>(c);
    text += i % 3 == 0 ? u"€𝄞\n" : u"plain\n";
  }
  const std::string bytes = utf16(u"\uFEFF" + text, true);
  put("a.gz", pack(bytes, Compression::gzip, 1));
  put("a.txt", bytes);
  for (const Compression compression : {Compression::gzip, Compression::none}) {
    const std::string name = compression == Compression::gzip ? "a.gz" : "a.txt";
    const TextCoding coding{compression, Encoding::utf16};
    auto first = texts(name, coding);
    first->use_checkpoints({});
    const std::string all = read(*first).value();
    const auto checkpoints = first->take_checkpoints();
    ASSERT_GE(checkpoints.size(), 2U) << name;
    for (const auto& checkpoint : checkpoints) {
      auto again = texts(name, coding);
      again->use_checkpoints({checkpoint});
      EXPECT_EQ(read_at(*again, checkpoint.offset, all.size()), all.substr(checkpoint.offset));
    }
  }
}

TEST_F(CodedFiles, PackingDependsOnTheTextAloneAndNotOnHowItComes) {
  const std::string text = numbers(2 * mebibyte);
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    const auto compressor = make_text_compressor({.compression = compression}).value();
    std::string_view rest = text;
    for (std::size_t piece = 1; !rest.empty(); piece = piece * 3 % 70'001 + 1) {
      const std::string_view next = rest.substr(0, piece);
      ASSERT_TRUE(compressor->add(next));
      rest.remove_prefix(next.size());
    }
    EXPECT_EQ(compressor->finish().value(), pack(text, compression));
    ASSERT_TRUE(compressor->add(text));  // and not on what was packed before
    EXPECT_EQ(compressor->finish().value(), pack(text, compression));
  }
}

TEST_F(CodedFiles, TheWindowOfAZstdFrameIsKnownFromItsHead) {
  put("a.zst", pack(numbers(mebibyte), Compression::zstd, 3));
  const TextFile file = File::open_read(at("a.zst")).value();
  EXPECT_EQ(find_zstd_window(file).value(), 2 * mebibyte);
  put("b.zst", "no frame at all");
  EXPECT_EQ(find_zstd_window(File::open_read(at("b.zst")).value()).value(), 0U);
}

}  // namespace
}  // namespace tranche
