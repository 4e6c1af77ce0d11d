#include "io/datasets/dataset.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/datasets/stored_vocabulary.h"
#include "io/errors.h"
#include "io/files/digest.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<uint64_t> Ends(const Dataset& dataset) {
  std::vector<uint64_t> ends;
  uint64_t begin = 0;
  for (const Split& split : dataset.splits()) {
    EXPECT_EQ(split.begin, begin);
    begin = split.end;
    ends.push_back(split.end);
  }
  return ends;
}

class DatasetTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "corpus.h5";
};

TEST_F(DatasetTest, TokensComeBackInEveryWidth) {
  for (const uint64_t size : {1, 256, 257, 65536, 65537, 100000}) {
    const uint64_t count = 3 * 16384 + 1000;
    const std::string fingerprint = WriteDataset(path_, count, size);
    const Dataset dataset = Dataset::Open(path_);
    EXPECT_EQ(dataset.size_tokens(), count);
    EXPECT_EQ(dataset.fingerprint(), fingerprint);
    EXPECT_EQ(dataset.vocabulary().tokens(), MakeVocabulary(size).tokens());
    const std::vector<uint32_t> tokens = MakeTokens(count, size);
    // A whole, an end, pieces across the borders, nothing; and again, when pieces are in memory.
    for (const auto& [begin, length] : std::vector<std::pair<uint64_t, uint64_t>>{{0, count},
                                                                                  {count - 1, 1},
                                                                                  {16383, 2},
                                                                                  {16000, 20000},
                                                                                  {count, 0},
                                                                                  {5, 3},
                                                                                  {16383, 2}}) {
      std::vector<int32_t> out(length);
      dataset.Read(begin, out);
      EXPECT_TRUE(std::equal(out.begin(), out.end(), tokens.begin() + static_cast<long>(begin)));
    }
    EXPECT_EQ(H5Reader(path_).OpenArray("/tokens").type(), size <= 256     ? ElementType::kUint8
                                                           : size <= 65536 ? ElementType::kUint16
                                                                           : ElementType::kUint32);
  }
}

TEST_F(DatasetTest, MorePiecesThanStayInMemoryComeBack) {
  const uint64_t count = 700 * 16384;  // 46 MB of uint32
  WriteDataset(path_, count, 70000);
  const Dataset dataset = Dataset::Open(path_);
  const std::vector<uint32_t> tokens = MakeTokens(count, 70000);
  std::vector<int32_t> out(10);
  for (uint64_t round = 0; round < 3; ++round) {
    for (uint64_t piece = 0; piece < 700; ++piece) {
      const uint64_t begin = piece * 16384 + 100 * round;
      dataset.Read(begin, out);
      ASSERT_TRUE(std::equal(out.begin(), out.end(), tokens.begin() + static_cast<long>(begin)));
    }
  }
}

TEST_F(DatasetTest, AppendMayBeCutAnyhowAndTheBytesAreTheSame) {
  const std::vector<uint32_t> tokens = MakeTokens(300000, 200);
  WriteDataset(path_, tokens.size(), 200);
  const std::string whole = Bytes(path_);
  DatasetWriter writer(path_, MakeVocabulary(200));
  std::span<const uint32_t> rest = tokens;
  for (uint64_t length = 0; !rest.empty(); length = 2 * length + 1) {
    const uint64_t now = std::min<uint64_t>(length, rest.size());
    writer.Append(rest.first(now));
    rest = rest.subspan(now);
  }
  EXPECT_EQ(writer.size_tokens(), tokens.size());
  writer.Publish(std::vector<double>{90, 5, 5},
                 {{"first.txt", 10, 150000}, {"b/second.txt", 20, 150000}});
  EXPECT_EQ(writer.size_tokens(), tokens.size());
  EXPECT_EQ(Bytes(path_), whole);
}

TEST_F(DatasetTest, SplitsAreCumulativeSharesRoundedDown) {
  const auto ends = [&](uint64_t count, std::vector<double> shares) {
    WriteDataset(path_, count, 4, std::move(shares));
    return Ends(Dataset::Open(path_));
  };
  EXPECT_THAT(ends(1000, {90, 5, 5}), ElementsAre(900, 950, 1000));
  EXPECT_THAT(ends(1003, {90, 5, 5}), ElementsAre(902, 952, 1003));
  EXPECT_THAT(ends(1000, {90}), ElementsAre(1000, 1000, 1000));
  EXPECT_THAT(ends(1000, {1, 1}), ElementsAre(500, 1000, 1000));
  EXPECT_THAT(ends(1000, {90, 0, 10}), ElementsAre(900, 900, 1000));
  EXPECT_THAT(ends(1000, {0, 0, 3}), ElementsAre(0, 0, 1000));
  // Shares that binary fractions cannot hold: plainly computed, the second end would be 7.
  EXPECT_THAT(ends(10, {0.1, 0.7, 0.2}), ElementsAre(1, 8, 10));
  EXPECT_THAT(ends(1000, {0.7, 0.2, 0.1}), ElementsAre(700, 900, 1000));
  EXPECT_THAT(ends(1, {90, 5, 5}), ElementsAre(0, 0, 1));
}

TEST_F(DatasetTest, BadSharesAndNoTokensAreInputErrorsAndLeaveNothing) {
  for (const std::vector<double>& shares :
       {std::vector<double>{}, {0, 0}, {90, -1}, {NAN}, {INFINITY}, {1, 1, 1, 1}}) {
    EXPECT_THROW(WriteDataset(path_, 10, 4, shares), InputError);
  }
  EXPECT_THROW(WriteDataset(path_, 0, 4), InputError);
  EXPECT_THROW(DatasetWriter(folder_ / "missing/corpus.h5", MakeVocabulary(3)), InputError);
  EXPECT_TRUE(folder_.Names().empty());
}

TEST_F(DatasetTest, AWriterThatIsGivenUpLeavesTheOldFile) {
  WriteDataset(path_, 100, 4);
  const std::string old = Bytes(path_);
  {
    DatasetWriter writer(path_, MakeVocabulary(4));
    writer.Append(MakeTokens(500000, 4));
    EXPECT_THROW(writer.Append(std::vector<uint32_t>{3, 4}), std::invalid_argument);
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("corpus.h5"));
  EXPECT_EQ(Bytes(path_), old);
}

TEST_F(DatasetTest, TheFingerprintIsOfWhatTrainingSees) {
  const auto fingerprint = [&](uint64_t count, uint64_t size, std::vector<double> shares,
                               const Vocabulary& vocabulary, const std::string& source) {
    DatasetWriter writer(path_, vocabulary);
    writer.Append(MakeTokens(count, size));
    return writer.Publish(shares, {{source, 1, count}});
  };
  const Vocabulary bytes = MakeVocabulary(4);
  const std::string first = fingerprint(1000, 4, {90, 10}, bytes, "a");
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(fingerprint(1000, 4, {9, 1}, bytes, "another/path"), first);
  EXPECT_NE(fingerprint(1001, 4, {90, 10}, bytes, "a"), first);
  EXPECT_NE(fingerprint(1000, 3, {90, 10}, bytes, "a"), first);
  EXPECT_NE(fingerprint(1000, 4, {80, 20}, bytes, "a"), first);
  EXPECT_NE(fingerprint(1000, 4, {90, 10}, MakeVocabulary(5), "a"), first);
  const Vocabulary chars(TokenKind::kChar, bytes.tokens(), std::nullopt);
  const Vocabulary unknown(TokenKind::kByte, bytes.tokens(), 1);
  const Vocabulary lower(TokenKind::kByte, bytes.tokens(), std::nullopt, "none", true);
  const Vocabulary composed(TokenKind::kByte, bytes.tokens(), std::nullopt, "nfc");
  EXPECT_NE(fingerprint(1000, 4, {90, 10}, chars, "a"), first);
  EXPECT_NE(fingerprint(1000, 4, {90, 10}, unknown, "a"), first);
  EXPECT_NE(fingerprint(1000, 4, {90, 10}, lower, "a"), first);
  EXPECT_NE(fingerprint(1000, 4, {90, 10}, composed, "a"), first);
}

TEST_F(DatasetTest, SplitsAndSourcesAreFoundByName) {
  WriteDataset(path_, 1000, 4);
  const Dataset dataset = Dataset::Open(path_);
  EXPECT_EQ(dataset.path(), path_);
  EXPECT_EQ(dataset.split("validation").begin, 900u);
  EXPECT_EQ(dataset.split("test").size(), 50u);
  try {
    dataset.split("dev");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("train, validation, test"));
  }
  const SourceList sources = dataset.ReadSources(5);
  EXPECT_EQ(sources.count, 2u);
  ASSERT_EQ(sources.first.size(), 2u);
  EXPECT_EQ(sources.first[1].path, "b/second.txt");
  EXPECT_EQ(sources.first[1].bytes, 20u);
  EXPECT_EQ(sources.first[1].size, 500u);
  EXPECT_EQ(dataset.ReadSources(1).count, 2u);
  EXPECT_EQ(dataset.ReadSources(1).first.size(), 1u);
}

// Every rank opens the dataset, and a corpus may have millions of files.
TEST_F(DatasetTest, SourcesAreReadOnDemandOnly) {
  const uint64_t count = 600000;  // more than are read at once
  std::vector<Source> sources;
  for (uint64_t i = 0; i < count; ++i) sources.push_back({"a/path/" + std::to_string(i), i, 1});
  DatasetWriter writer(path_, MakeVocabulary(4));
  writer.Append(MakeTokens(1000, 4));
  writer.Publish(std::vector<double>{90, 10}, sources);
  for (const uint64_t most : {uint64_t{0}, uint64_t{3}, count + 1}) {
    const SourceList list = Dataset::Open(path_).ReadSources(most);
    EXPECT_EQ(list.count, count);
    ASSERT_EQ(list.first.size(), std::min(most, count));
    for (uint64_t i = 0; i < list.first.size(); ++i) {
      ASSERT_EQ(list.first[i].path, sources[i].path);
      ASSERT_EQ(list.first[i].bytes, i);
    }
  }
  // Damage among the paths stops nobody who does not ask for them.
  std::string bytes = Bytes(path_);
  const size_t place = bytes.find("a/path/400000");
  ASSERT_NE(place, std::string::npos);
  bytes[place] = 'b';
  PutBytes(path_, bytes);
  const Dataset dataset = Dataset::Open(path_);
  std::vector<int32_t> out(1000);
  dataset.Read(0, out);
  EXPECT_THROW(dataset.ReadSources(1), DamagedFileError);
  EXPECT_THROW(VerifyFile(path_), DamagedFileError);
}

TEST_F(DatasetTest, ReadOutsideTheStreamIsRefused) {
  WriteDataset(path_, 1000, 4);
  const Dataset dataset = Dataset::Open(path_);
  std::vector<int32_t> out(2);
  EXPECT_THROW(dataset.Read(999, out), std::out_of_range);
  EXPECT_THROW(dataset.Read(~uint64_t{0}, out), std::out_of_range);
}

TEST_F(DatasetTest, AMillionWordsComeBack) {
  const uint64_t size = 1000000;
  WriteDataset(path_, 1000, size);
  EXPECT_EQ(Dataset::Open(path_).vocabulary().tokens(), MakeVocabulary(size).tokens());
}

TEST_F(DatasetTest, ManyMayReadAtOnce) {
  WriteDataset(path_, 1000, 4);
  const Dataset first = Dataset::Open(path_);
  Dataset second = Dataset::Open(path_);
  const Dataset moved = std::move(second);
  std::vector<int32_t> a(1000), b(1000);
  first.Read(0, a);
  moved.Read(0, b);
  EXPECT_EQ(a, b);
}

TEST_F(DatasetTest, OtherFormatsAreInputErrorsThatSaySo) {
  SmallCheckpoint(1).Write(path_);
  try {
    Dataset::Open(path_);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lockstep.checkpoint, not a dataset"));
  }
  WriteDataset(path_, 1000, 4);
  WriteSeal(path_, "lockstep.tokens", 2, 0);
  try {
    Dataset::Open(path_);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("version 2"));
  }
}

// fletcher32 takes a chunk of zeros whose checksum is zero for whole.
TEST_F(DatasetTest, AZeroedChunkIsDamage) {
  const std::vector<uint32_t> tokens = MakeTokens(40000, 200);
  WriteDataset(path_, tokens.size(), 200);
  std::string bytes = Bytes(path_);
  const size_t chunk = bytes.find(std::string(tokens.begin() + 16384, tokens.begin() + 32768));
  ASSERT_NE(chunk, std::string::npos);
  bytes.replace(chunk, 16384 + 4, std::string(16384 + 4, '\0'));
  PutBytes(path_, bytes);
  const Dataset dataset = Dataset::Open(path_);
  std::vector<int32_t> out(16384);
  dataset.Read(0, out);
  EXPECT_THROW(dataset.Read(16384, out), DamagedFileError);
  EXPECT_THROW(dataset.Read(32767, {out.data(), 1}), DamagedFileError);
}

TEST_F(DatasetTest, AVocabularyOfAnotherKindThanItSaysIsAnError) {
  const auto open = [&](TokenKind kind, std::vector<std::string> tokens) {
    DatasetWriter writer(path_, Vocabulary(kind, std::move(tokens), 0));
    writer.Append(std::vector<uint32_t>{0, 1});
    writer.Publish(std::vector<double>{100}, {});
    Dataset::Open(path_);
  };
  const std::string two_bytes = "\xc3\xa9";  // one code point
  EXPECT_NO_THROW(open(TokenKind::kChar, {"<unk>", two_bytes}));
  EXPECT_THROW(open(TokenKind::kChar, {"<unk>", "th"}), InputError);
  EXPECT_THROW(open(TokenKind::kChar, {"<unk>", "\xc3"}), InputError);
  EXPECT_NO_THROW(open(TokenKind::kByte, {"<unk>", "\xc3"}));
  EXPECT_THROW(open(TokenKind::kByte, {"<unk>", two_bytes}), InputError);
  EXPECT_NO_THROW(open(TokenKind::kWord, {"<unk>", "th"}));
}

// A file of another program: all digests hold, and a token is none.
TEST_F(DatasetTest, TokensOutsideTheVocabularyAreDamage) {
  const std::vector<uint8_t> tokens = {0, 3, 4};
  const std::vector<uint64_t> digests = {ShortDigest(tokens.data(), tokens.size())};
  const std::vector<uint64_t> none;
  H5Writer writer(path_, path_);
  writer.WriteArray("/tokens", std::span<const uint8_t>(tokens));
  writer.WriteArray("/token_digests", std::span<const uint64_t>(digests));
  WriteVocabulary(writer, MakeVocabulary(4));
  WriteStringList(writer, "/sources/paths", {});
  writer.WriteArray("/sources/bytes", std::span<const uint64_t>(none));
  writer.WriteArray("/sources/tokens", std::span<const uint64_t>(none));
  writer.CloseAndCompare();
  WriteSeal(path_, "lockstep.tokens", 1, 0);
  const Dataset dataset = Dataset::Open(path_);
  std::vector<int32_t> out(1);
  EXPECT_THROW(dataset.Read(0, out), DamagedFileError);
  EXPECT_THROW(dataset.split("train"), InputError);
}

}  // namespace
}  // namespace lockstep::io
