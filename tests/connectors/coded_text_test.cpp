// Compressed files, and files in other encodings, as sources and sinks of text: the same records as
// of the plain file, however they are cut, resumed and damaged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

#include "base/temporary_folder.h"
#include "connectors/csv.h"
#include "connectors/jsonl.h"
#include "formats/text_compressor.h"

namespace tranche {
namespace {

using Options = std::vector<std::pair<std::string, Node>>;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

std::string pack(std::string_view text, Compression compression) {
  const auto compressor = make_text_compressor({.compression = compression, .level = 1}).value();
  EXPECT_TRUE(compressor->add(text));
  return compressor->finish().value();
}

std::string utf16(std::string_view ascii) {
  std::string bytes = "\xFF\xFE";
  for (const char c : ascii) bytes += {c, '\0'};
  return bytes;
}

class CodedText : public TemporaryFolder {
 protected:
  static Node node_of(const Options& options) {
    Node node = Node::map();
    for (const auto& [key, value] : options) node.set(key, value);
    return node;
  }

  std::unique_ptr<Source> open(const Connector& connector, const Options& options) {
    const Node node = node_of(options);
    Problems problems;
    check_options(node, connector.read_options, connector.name, problems);
    for (const auto& problem : problems) ADD_FAILURE() << problem.message;
    auto source = connector.make_source(node, folder_).value();
    auto inputs = source->inputs();
    EXPECT_TRUE(inputs) << inputs.error().message;
    EXPECT_TRUE(source->use_inputs(*inputs));
    return source;
  }
  static Node text_column(const char* name) {
    Node columns = Node::map();
    columns.set(name, Node::scalar("varchar"));
    return columns;
  }
  std::unique_ptr<Source> open_csv(const std::string& pattern, Options more = {}) {
    more.emplace_back("csv", Node::scalar(pattern));
    return open(csv_, more);
  }

  static Result<std::vector<Slice>> cut(Source& source, const CutLimits& limits,
                                        const Slice* after = nullptr) {
    TRANCHE_ASSIGN(auto stream, source.divide(after));
    std::vector<Slice> slices;
    while (true) {
      TRANCHE_ASSIGN(const auto slice, stream->next(limits));
      if (!slice) return slices;
      slices.push_back(*slice);
    }
  }

  // Rows and rejects in record order, each with its line and offset; not with the name of its file.
  std::vector<std::string> read(const Source& source, const std::vector<Slice>& slices) {
    std::vector<std::string> all;
    for (const auto& slice : slices) {
      const auto found = read_one(source, slice);
      if (!found) ADD_FAILURE() << found.error().message;
      if (found) all.insert(all.end(), found->begin(), found->end());
    }
    return all;
  }
  Result<std::vector<std::string>> read_one(const Source& source, const Slice& slice) {
    std::vector<std::pair<std::uint64_t, std::string>> found;
    TRANCHE_ASSIGN(auto reader, source.open(slice, worker_));
    std::vector<Reject> rejects;
    while (true) {
      TRANCHE_ASSIGN(const auto page, reader->next(rejects));
      if (page == nullptr) break;
      for (std::size_t row = 0; row < page->rows(); ++row) {
        const Origin& origin = page->origins[row];
        std::string line = fmt::format("{}@{} ", page->base.line + origin.line, origin.offset);
        for (std::size_t i = 0; i < page->column_count(); ++i) {
          append_value_text(line, page->column(i), row);
          line += '|';
        }
        found.emplace_back(page->base.record + origin.record, line);
      }
    }
    for (const auto& reject : rejects) {
      found.emplace_back(reject.record, fmt::format("{}@{} reject {}: {}", reject.line,
                                                    reject.offset, reject.raw, reject.error));
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> lines;
    for (auto& one : found) lines.push_back(std::move(one.second));
    return lines;
  }

  const Connector csv_ = csv_connector();
  const Connector jsonl_ = jsonl_connector();
  WorkerScope worker_{0, 0, ""};
};

std::string sales(std::size_t bytes) {
  std::string text = "id,text\n";
  for (std::int64_t i = 0; text.size() < bytes; ++i) {
    text += i % 97 == 4 ? fmt::format("x{},\"bad\n", i)
                        : fmt::format("{},\"a\nb \"\"{}\"\"\"\r\n", i, i * 7919);
  }
  return text;
}

TEST_F(CodedText, ReadsTheSameRecordsFromEveryCoding) {
  const std::string text = sales(20'000);
  put("a.csv", text);
  put("a.csv.gz", pack(text.substr(0, 7000), Compression::gzip) +
                      pack(text.substr(7000), Compression::gzip));
  put("a.csv.zst", pack(text.substr(0, 777), Compression::zstd) +
                       pack(text.substr(777), Compression::zstd));
  put("packed", pack(text, Compression::gzip));
  put("wide.csv", utf16(text));
  put("wide.csv.gz", pack(utf16(text), Compression::gzip));
  const auto plain = open_csv("a.csv");
  const auto expected = read(*plain, cut(*plain, {}).value());
  ASSERT_GT(expected.size(), 800U);
  const Options wide{{"encoding", Node::scalar("utf-16")}};
  const Options packed{{"compression", Node::scalar("gzip")}};
  for (const auto& [name, options] : std::vector<std::pair<std::string, Options>>{
           {"a.csv.gz", {}}, {"a.csv.zst", {}}, {"packed", packed}, {"wide.csv", wide},
           {"wide.csv.gz", wide}}) {
    for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
      const auto source = open_csv(name, options);
      const auto slices = cut(*source, {.bytes_max = bytes}).value();
      EXPECT_EQ(read(*source, slices), expected) << name << " " << bytes;
      for (const auto& slice : slices) {
        ASSERT_EQ(source->digest(slice).value(), slice.digest);
      }
    }
  }
}

TEST_F(CodedText, CutsAndDigestsAreThoseOfThePlainText) {
  const std::string text = sales(50'000);
  put("a.csv", text);
  put("a.csv.gz", pack(text, Compression::gzip));
  const auto plain = open_csv("a.csv");
  const auto packed = open_csv("a.csv.gz");
  auto expected = cut(*plain, {.bytes_max = 3000}).value();
  auto slices = cut(*packed, {.bytes_max = 3000}).value();
  std::uint64_t file_bytes = 0;
  ASSERT_EQ(slices.size(), expected.size());
  for (std::size_t i = 0; i < slices.size(); ++i) {
    file_bytes += slices[i].file_bytes;
    slices[i].file_bytes = expected[i].file_bytes;
  }
  EXPECT_EQ(slices, expected);
  EXPECT_EQ(file_bytes, file_status(at("a.csv.gz")).value().bytes);
}

TEST_F(CodedText, AGlobMayMixPlainAndCompressedFiles) {
  put("1.csv", "n\n1\n2\n");
  put("2.csv.gz", pack("n\n3\n", Compression::gzip));
  put("3.csv.zst", pack("n\n4\n", Compression::zstd));
  put("4.csv.gz", "");
  put("5.csv", "n\n5\n");
  const auto source = open_csv("*.csv*");
  EXPECT_EQ(read(*source, cut(*source, {}).value()),
            (std::vector<std::string>{"2@2 1|", "3@4 2|", "2@2 3|", "2@2 4|", "2@2 5|"}));
}

TEST_F(CodedText, GoesOnBehindAnySliceWithCheckpointsAndWithout) {
  const std::string text = sales(18 * mebibyte);
  put("a.csv.gz", pack(text, Compression::gzip));
  auto source = open_csv("a.csv.gz");
  source->use_checkpoints({});
  const auto slices = cut(*source, {.bytes_max = 3 << 20}).value();
  const auto expected = read(*source, slices);
  const auto checkpoints = source->take_checkpoints();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    for (const bool with : {false, true}) {
      const auto again = open_csv("a.csv.gz");
      ASSERT_TRUE(again->schema());
      again->use_checkpoints(with ? checkpoints : std::vector<Checkpoint>());
      auto rest = cut(*again, {.bytes_max = 3 << 20}, &slices[i]).value();
      ASSERT_EQ(rest.size(), slices.size() - i - 1);
      for (std::size_t j = 0; j < rest.size(); ++j) {
        rest[j].file_bytes = slices[i + 1 + j].file_bytes;
        EXPECT_EQ(rest[j], slices[i + 1 + j]);
      }
    }
  }
  EXPECT_EQ(read(*source, slices), expected);
}

TEST_F(CodedText, SaysSoWhenAResumeMustUnpackMuchAgain) {
  std::string text = "n\n";
  while (text.size() < 36 * mebibyte) text += std::string(1023, '1') + '\n';
  put("a.csv.zst", pack(text, Compression::zstd));
  put("a.csv.gz", pack(text, Compression::gzip));
  for (const auto& name : {std::string("a.csv.zst"), std::string("a.csv.gz")}) {
    const auto first = open_csv(name, {{"columns", text_column("n")}});
    first->use_checkpoints({});
    const auto slices = cut(*first, {.bytes_max = 4 * mebibyte}).value();
    const auto checkpoints = first->take_checkpoints();
    const auto again = open_csv(name, {{"columns", text_column("n")}});
    ASSERT_TRUE(again->schema());
    again->use_checkpoints(checkpoints);
    EXPECT_FALSE(again->seek_notice(slices.front()));
    const auto notice = again->seek_notice(slices.back());
    EXPECT_EQ(notice.has_value(), name == "a.csv.zst");
    if (notice) {
      EXPECT_NE(notice->find("a.csv.zst"), std::string::npos);
    }
  }
}

TEST_F(CodedText, ARecordThatIsAddedToBehindACommittedEndIsNoticed) {
  const std::string text = "n\n1\n2";
  put("a.csv.gz", pack(text, Compression::gzip));
  const auto source = open_csv("a.csv.gz");
  const auto slices = cut(*source, {}).value();
  ASSERT_EQ(slices.size(), 1U);
  EXPECT_TRUE(cut(*source, {}, &slices[0]).value().empty());
  put("a.csv.gz", pack(text, Compression::gzip) + pack("3\n", Compression::gzip));
  const auto longer = open_csv("a.csv.gz");
  const auto rest = cut(*longer, {}, &slices[0]);
  ASSERT_FALSE(rest);
  EXPECT_NE(rest.error().message.find("goes on at byte 5"), std::string::npos);
  put("a.csv.gz", pack(text, Compression::gzip) + pack("\n3\n", Compression::gzip));
  const auto fitting = open_csv("a.csv.gz");
  EXPECT_EQ(fitting->digest(slices[0]).value(), slices[0].digest);
}

TEST_F(CodedText, ABrokenCharacterOfUtf16CostsItsRecordOnly) {
  std::string bytes = utf16("n,t\n1,a\n2,?\n3,c\n4,");
  bytes[2 + 2 * 10] = '\x34';  // half of a pair
  bytes[2 + 2 * 10 + 1] = '\xD8';
  put("a.csv", bytes + "x");
  const auto source = open_csv("a.csv", {{"encoding", Node::scalar("utf-16le")}});
  const auto found = read(*source, cut(*source, {}).value());
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0], "2@4 1|a|");
  EXPECT_NE(found[1].find("3@8 reject 2,\xED\xA0\xB4"), std::string::npos) << found[1];
  EXPECT_NE(found[1].find("The surrogate U+D834 of UTF-16 at byte 10"), std::string::npos);
  EXPECT_EQ(found[2], "4@14 3|c|");
  EXPECT_NE(found[3].find("ends within a character of UTF-16, at byte 20"), std::string::npos)
      << found[3];
}

TEST_F(CodedText, Latin1IsConverted) {
  put("a.csv", "id,name\n1,M\xFCller\n");
  const auto source = open_csv("a.csv", {{"encoding", Node::scalar("latin-1")}});
  EXPECT_EQ(read(*source, cut(*source, {}).value()),
            (std::vector<std::string>{"2@8 1|M\u00FCller|"}));
  const auto strict = open_csv("a.csv");
  EXPECT_NE(read(*strict, cut(*strict, {}).value()).at(0).find("reject"), std::string::npos);
}

TEST_F(CodedText, JsonLinesAreReadAlike) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += fmt::format("{{\"n\":{},\"t\":\"x\"}}\n", i);
  put("a.jsonl", text);
  put("a.jsonl.gz", pack(text, Compression::gzip));
  put("wide.jsonl.zst", pack(utf16(text), Compression::zstd));
  const auto plain = open(jsonl_, {{"jsonl", Node::scalar("a.jsonl")}});
  const auto expected = read(*plain, cut(*plain, {}).value());
  const auto packed = open(jsonl_, {{"jsonl", Node::scalar("a.jsonl.gz")}});
  EXPECT_EQ(read(*packed, cut(*packed, {.records_max = 7}).value()), expected);
  const auto wide = open(jsonl_, {{"jsonl", Node::scalar("wide.jsonl.zst")},
                                  {"encoding", Node::scalar("utf-16")}});
  EXPECT_EQ(read(*wide, cut(*wide, {.records_max = 1000}).value()), expected);
}

TEST_F(CodedText, GuessesFromTheHeadAndTheFirstMegabytes) {
  std::string text = "n,later\n";
  while (text.size() < 6 * mebibyte) {
    text += text.size() < 2 * mebibyte ? "1,2\n" : "1,two\n";
  }
  put("a.csv.gz", pack(text, Compression::gzip));
  const auto source = open_csv("a.csv.gz");
  EXPECT_EQ(to_string(*source->schema().value()), "n bigint, later varchar");
}

TEST_F(CodedText, AFileThatIsCutOffFailsWhereItsTextEnds) {
  const std::string text = sales(3 * mebibyte);
  const std::string whole = pack(text, Compression::gzip);
  put("a.csv.gz", whole.substr(0, whole.size() / 2));
  const auto source = open_csv("a.csv.gz");
  const auto slices = cut(*source, {.bytes_max = 1 << 20});
  ASSERT_FALSE(slices);
  EXPECT_EQ(slices.error().kind, ErrorKind::failed);
  EXPECT_NE(slices.error().message.find("a.csv.gz is cut off"), std::string::npos);
}

TEST_F(CodedText, AWorkerNoticesAnotherTextThanThePlanned) {
  const auto padded = [](const std::string& text) {  // so that both files have one size
    std::string bytes = pack(text, Compression::zstd) + std::string("\x50\x2A\x4D\x18", 4);
    const std::size_t padding = 10'000 - bytes.size() - 4;
    bytes += {static_cast<char>(padding & 0xFF), static_cast<char>(padding >> 8), '\0', '\0'};
    return bytes + std::string(padding, '\0');
  };
  std::string text = sales(3'000);
  put("a.csv.zst", padded(text));
  const auto source = open_csv("a.csv.zst");
  const auto slices = cut(*source, {}).value();
  text[text.find("7919")] = '8';
  put("a.csv.zst", padded(text));
  const auto later = open_csv("a.csv.zst");
  ASSERT_TRUE(later->schema());
  const auto found = read_one(*later, slices[0]);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("a.csv.zst was changed"), std::string::npos);
}

class CodedSink : public CodedText {
 protected:
  // The bytes of a file of three groups of two chunks, written by a sink that dies behind `dies`.
  std::string write(const Connector& connector, Options options, int dies) {
    const Node node = node_of(options);
    Problems problems;
    check_options(node, connector.write_options, connector.name, problems);
    for (const auto& problem : problems) ADD_FAILURE() << problem.message;
    auto schema = std::make_shared<Schema>();
    schema->fields.push_back({"n", Type{TypeId::integer}, false});
    std::vector<Receipt> ledger;
    std::string intent;
    std::unique_ptr<Sink> sink;
    std::unique_ptr<Committer> committer;
    const auto start = [&] {
      committer.reset();
      sink = connector.make_sink(node, folder_).value();
      EXPECT_EQ(sink->recover(run_, schema, ledger).value(), ledger);
      committer = sink->committer().value();
    };
    start();
    for (int group = 0; group < 3; ++group) {
      const auto apply = [&] {
        std::vector<Segment> segments;
        auto encoder = sink->encoder(worker_).value();
        for (int chunk = 0; chunk < 2; ++chunk) {
          Page page(schema);
          for (std::size_t row = 0; row < 3; ++row) {
            page.column(0).values<std::int32_t>()[row] =
                group * 100 + chunk * 10 + static_cast<int>(row);
          }
          page.set_rows(3);
          EXPECT_TRUE(encoder->add(page));
          const auto made = encoder->finish().value();
          segments.insert(segments.end(), made.begin(), made.end());
        }
        EXPECT_EQ(committer->apply(static_cast<std::uint64_t>(group), segments, "")->rows, 6U);
      };
      apply();
      if (group == dies) {  // with the group in the file, and not in the ledger
        start();
        apply();
      }
      ledger.push_back(committer->commit().value());
    }
    committer.reset();
    intent = sink->plan_seal(ledger).value();
    EXPECT_TRUE(sink->seal(intent));
    EXPECT_TRUE(sink->verify(run_, intent, ledger).value().empty());
    const auto path = at(options[0].second.text);
    const std::string bytes = read_file(path).value();
    put(options[0].second.text, bytes.substr(0, bytes.size() - 1) + "?");
    EXPECT_EQ(sink->verify(run_, intent, ledger).value().size(), 1U);
    put(options[0].second.text, bytes);
    return bytes;
  }

  const SinkRun run_{"0123456789abcdef0123456789abcdef", "load", folder_.string()};
};

TEST_F(CodedSink, WritesTheSameBytesHoweverOftenItIsKilledAndReadsThemBack) {
  for (const auto& name : {std::string("o.csv.gz"), std::string("o.csv.zst")}) {
    const std::string undisturbed = write(csv_, {{"csv", Node::scalar(name)}}, -1);
    for (int dies = 0; dies < 3; ++dies) {
      EXPECT_EQ(write(csv_, {{"csv", Node::scalar(name)}}, dies), undisturbed) << name;
    }
    const auto back = open_csv(name);
    const auto rows = read(*back, cut(*back, {}).value());
    ASSERT_EQ(rows.size(), 18U);
    EXPECT_EQ(rows[0], "2@2 0|");
    EXPECT_EQ(rows[17].substr(rows[17].find(' ')), " 212|");
  }
  const std::string lines = write(jsonl_, {{"jsonl", Node::scalar("o.jsonl.gz")}}, 1);
  const auto back = open(jsonl_, {{"jsonl", Node::scalar("o.jsonl.gz")}});
  EXPECT_EQ(read(*back, cut(*back, {}).value()).size(), 18U);
}

TEST_F(CodedSink, TheHeaderOfGzipHasNeitherTimeNorName) {
  const std::string bytes = write(csv_, {{"csv", Node::scalar("o.csv.gz")}}, -1);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x1F\x8B\x08\0\0\0\0\0", 8));
}

TEST_F(CodedSink, TakesALevelWithinThoseThatThereAre) {
  const auto error = [&](Options options) {
    options.emplace_back("csv", Node::scalar("o.csv"));
    const auto sink = csv_.make_sink(node_of(options), folder_);
    return sink ? std::string("no error") : sink.error().message;
  };
  const auto level = [](const char* text) {
    return std::pair<std::string, Node>("compression_level", Node::scalar(text));
  };
  const std::pair<std::string, Node> gzip("compression", Node::scalar("gzip"));
  const std::pair<std::string, Node> zstd("compression", Node::scalar("zstd"));
  EXPECT_EQ(error({gzip, level("9")}), "no error");
  EXPECT_EQ(error({zstd, level("19")}), "no error");
  EXPECT_EQ(error({gzip, level("10")}), "`compression_level` of gzip is 1 to 9, not 10.");
  EXPECT_EQ(error({zstd, level("0")}), "`compression_level` of zstd is 1 to 19, not 0.");
  EXPECT_NE(error({level("3")}).find("o.csv is not compressed"), std::string::npos);
}

}  // namespace
}  // namespace tranche
