#include "io/datasets/sequence_dataset.h"

#include <cmath>
#include <functional>
#include <stdexcept>

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
#include "tests/io/small_sequences.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = SequenceField::Kind;

std::vector<uint32_t> ReadIds(const SequenceDataset& dataset, int field, uint64_t example) {
  std::vector<int32_t> ids(dataset.Length(field, example));
  dataset.ReadIds(field, example, ids);
  return {ids.begin(), ids.end()};
}

void ExpectExample(const SequenceDataset& dataset, const SmallSequences& small, uint64_t example) {
  for (size_t i = 0; i < small.fields.size(); ++i) {
    const int field = static_cast<int>(i);
    switch (small.fields[i].kind) {
      case Kind::kCategory:
        ASSERT_EQ(dataset.ReadCategory(field, example), small.ids[example][i][0]);
        break;
      case Kind::kVector: {
        std::vector<float> numbers(small.fields[i].names.size());
        dataset.ReadVector(field, example, numbers);
        ASSERT_EQ(numbers, small.numbers[example][i]);
        break;
      }
      default:
        ASSERT_EQ(ReadIds(dataset, field, example), small.ids[example][i]);
    }
  }
}

class SequenceDatasetTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::function<void()>& body) {
    try {
      body();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "sequences.h5";
};

TEST_F(SequenceDatasetTest, EveryFormComesBack) {
  for (const SequenceForm form : kAllSequenceForms) {
    const SmallSequences small(form);
    const std::string fingerprint = small.Write(path_);
    const SequenceDataset dataset = SequenceDataset::Open(path_);
    EXPECT_EQ(dataset.path(), path_);
    EXPECT_EQ(dataset.form(), form);
    EXPECT_EQ(dataset.fingerprint(), fingerprint);
    EXPECT_EQ(dataset.size(), 40u);
    ASSERT_EQ(dataset.fields().size(), small.fields.size());
    for (size_t i = 0; i < small.fields.size(); ++i) {
      const SequenceField& field = dataset.field(small.fields[i].name);
      EXPECT_EQ(&field, &dataset.fields()[i]);
      EXPECT_EQ(dataset.Find(field.name), static_cast<int>(i));
      EXPECT_EQ(field.kind, small.fields[i].kind);
      EXPECT_EQ(field.vocabulary, small.fields[i].vocabulary);
      EXPECT_EQ(field.names, small.fields[i].names);
      EXPECT_EQ(field.means, small.fields[i].means);
      EXPECT_EQ(field.deviations, small.fields[i].deviations);
    }
    EXPECT_EQ(dataset.Find("none"), -1);
    EXPECT_THROW(dataset.field("none"), std::out_of_range);
    for (uint64_t i = 0; i < 40; ++i) ExpectExample(dataset, small, i);
    EXPECT_EQ(dataset.split("validation").begin, 20u);
    EXPECT_EQ(dataset.split("test").end, 40u);
    EXPECT_THROW(dataset.split("rest"), InputError);
    EXPECT_EQ(dataset.ReadSources(1).count, 2u);
    EXPECT_EQ(dataset.ReadSources(1).first[0].size, 30u);
  }
}

TEST_F(SequenceDatasetTest, AnyOrderComesBackWhateverTheCacheHolds) {
  for (const SequenceForm form : {SequenceForm::kTags, SequenceForm::kCaptions}) {
    const SmallSequences small(form, 20000);
    small.Write(path_);
    for (const uint64_t cache_bytes : {uint64_t{0}, SequenceDataset::kDefaultCacheBytes}) {
      const SequenceDataset dataset = SequenceDataset::Open(path_, cache_bytes);
      for (uint64_t i = 0; i < 20000; i += cache_bytes == 0 ? 37 : 1) {
        ExpectExample(dataset, small, i * 7919 % 20000);
      }
    }
  }
}

TEST_F(SequenceDatasetTest, TagsMayComeWithoutLabels) {
  SmallSequences small;
  small.fields.pop_back();
  small.Write(path_);
  const SequenceDataset dataset = SequenceDataset::Open(path_);
  EXPECT_EQ(dataset.Find("label"), -1);
  EXPECT_EQ(ReadIds(dataset, 1, 12), small.ids[12][1]);
}

TEST_F(SequenceDatasetTest, NumbersWithoutScaleHaveMean0AndDeviation1) {
  SmallSequences small(SequenceForm::kCaptions);
  small.fields[0].means = small.fields[0].deviations = {};
  small.Write(path_);
  EXPECT_THAT(SequenceDataset::Open(path_).field("vector").means, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(SequenceDataset::Open(path_).field("vector").deviations, ElementsAre(1, 1, 1, 1));
  for (const std::vector<double>& wrong :
       {std::vector<double>{1, 1, 1}, {1, 1, 1, 0}, {1, 1, 1, NAN}, {1, 1, 1, -1}}) {
    small.fields[0].deviations = wrong;
    EXPECT_THROW(small.Write(path_), std::invalid_argument);
  }
}

TEST_F(SequenceDatasetTest, TheSameContentsGiveTheSameBytes) {
  for (const SequenceForm form : kAllSequenceForms) {
    SmallSequences(form, 3000).Write(path_);
    const std::string first = Bytes(path_);
    SmallSequences(form, 3000).Write(folder_ / "second.h5");
    EXPECT_EQ(Bytes(folder_ / "second.h5"), first);
  }
}

TEST_F(SequenceDatasetTest, TheFingerprintIsOfWhatTrainingSees) {
  const auto changed = [&](const std::function<void(SmallSequences&)>& change) {
    SmallSequences small;
    change(small);
    return small.Write(path_);
  };
  const std::string first = changed([](auto& small) {});
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(changed([](auto& small) {}), first);
  EXPECT_NE(changed([](auto& small) { small.ids[3][0][0] = 4; }), first);
  EXPECT_NE(changed([](auto& small) { small.ids[3][1][0] ^= 1; }), first);
  EXPECT_NE(changed([](auto& small) { small.ids[3][2][0] ^= 1; }), first);
  EXPECT_NE(changed([](auto& small) { std::swap(small.ids[3], small.ids[4]); }), first);
  EXPECT_NE(changed([](auto& small) { small.ends[1] += 1; }), first);
  EXPECT_NE(changed([](auto& small) { small.fields[1].names[0] = "x"; }), first);
  EXPECT_NE(changed([](auto& small) { small.fields.pop_back(); }), first);
  EXPECT_NE(changed([](auto& small) {
              small.fields[0].vocabulary =
                  Vocabulary(TokenKind::kWord, {"<unk>", "an", "be", "cat", "dog"}, 0, "nfc");
            }),
            first);
  EXPECT_NE(changed([](auto& small) {
              small.fields[0].vocabulary =
                  Vocabulary(TokenKind::kWord, {"<unk>", "an", "be", "cat", "x"}, 0, "nfc", true);
            }),
            first);
}

TEST_F(SequenceDatasetTest, WhatDoesNotFitIsRefusedAndLeavesTheOldFile) {
  const SmallSequences small;
  small.Write(path_);
  const std::string old = Bytes(path_);
  {
    SequenceDatasetWriter writer(path_, small.form, small.fields);
    EXPECT_THROW(writer.Publish(std::vector<uint64_t>{0, 0, 0}, {}), InputError);
    const std::vector<uint32_t> two = {1, 2}, one = {1}, far = {9}, none = {};
    const auto append = [&](std::vector<SequenceValue> example) { writer.Append(example); };
    EXPECT_THROW(append({{two, {}}, {two, {}}}), std::invalid_argument);
    EXPECT_THROW(append({{two, {}}, {one, {}}, {one, {}}}), std::invalid_argument);
    EXPECT_THROW(append({{two, {}}, {two, {}}, {two, {}}}), std::invalid_argument);
    EXPECT_THROW(append({{far, {}}, {one, {}}, {one, {}}}), std::invalid_argument);
    EXPECT_THROW(append({{one, {}}, {far, {}}, {one, {}}}), std::invalid_argument);
    EXPECT_THROW(append({{none, {}}, {none, {}}, {one, {}}}), std::invalid_argument);
    append({{one, {}}, {one, {}}, {one, {}}});
    EXPECT_EQ(writer.size(), 1u);
    EXPECT_THROW(writer.Publish(std::vector<uint64_t>{1, 0, 1}, {}), std::invalid_argument);
    EXPECT_THROW(writer.Publish(std::vector<uint64_t>{0, 1, 2}, {}), std::invalid_argument);
    EXPECT_THROW(writer.Publish(std::vector<uint64_t>{0, 0}, {}), std::invalid_argument);
    EXPECT_THROW(writer.Publish(std::vector<uint64_t>{}, {}), std::invalid_argument);
  }
  {
    const SmallSequences captions(SequenceForm::kCaptions);
    SequenceDatasetWriter writer(path_, captions.form, captions.fields);
    const std::vector<uint32_t> one = {1};
    for (const std::vector<float>& wrong :
         {std::vector<float>{1, 2, 3}, {1, 2, 3, NAN}, {1, 2, 3, INFINITY}}) {
      EXPECT_THROW(writer.Append(std::vector<SequenceValue>{{{}, wrong}, {one, {}}}),
                   std::invalid_argument);
    }
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("sequences.h5"));
  EXPECT_EQ(Bytes(path_), old);
  EXPECT_THROW(SequenceDatasetWriter(folder_ / "missing/a.h5", small.form, small.fields),
               InputError);
}

TEST_F(SequenceDatasetTest, FieldsMustBeThoseOfTheForm) {
  std::vector<SequenceField> fields = SmallSequences().fields;
  std::swap(fields[0], fields[1]);
  EXPECT_THROW(SequenceDatasetWriter(path_, SequenceForm::kTags, fields), std::invalid_argument);
  fields = SmallSequences().fields;
  EXPECT_THROW(SequenceDatasetWriter(path_, SequenceForm::kLabels, fields), std::invalid_argument);
  fields[2].names.clear();
  EXPECT_THROW(SequenceDatasetWriter(path_, SequenceForm::kTags, fields), std::invalid_argument);
  EXPECT_TRUE(folder_.Names().empty());
}

TEST_F(SequenceDatasetTest, WhatIsNotThereIsRefused) {
  SmallSequences().Write(path_);
  const SequenceDataset dataset = SequenceDataset::Open(path_);
  std::vector<int32_t> ids(dataset.Length(0, 3));
  std::vector<float> numbers(4);
  EXPECT_NO_THROW(dataset.ReadIds(0, 3, ids));
  EXPECT_THROW(dataset.ReadIds(0, 40, ids), std::out_of_range);
  EXPECT_THROW(dataset.ReadIds(0, 4, ids), std::out_of_range);
  EXPECT_THROW(dataset.ReadIds(2, 3, ids), std::out_of_range);
  EXPECT_THROW(dataset.ReadIds(3, 3, ids), std::out_of_range);
  EXPECT_THROW(dataset.ReadIds(-1, 3, ids), std::out_of_range);
  EXPECT_THROW(dataset.Length(2, 3), std::out_of_range);
  EXPECT_THROW(dataset.ReadCategory(2, 40), std::out_of_range);
  EXPECT_THROW(dataset.ReadCategory(0, 3), std::out_of_range);
  EXPECT_THROW(dataset.ReadVector(0, 3, numbers), std::out_of_range);
}

TEST_F(SequenceDatasetTest, OtherFormatsAreInputErrorsThatSaySo) {
  WriteDataset(path_, 1000, 4);
  EXPECT_THAT(ErrorOf([&] { SequenceDataset::Open(path_); }),
              HasSubstr("lockstep.tokens, not a dataset of sequences"));
  EXPECT_THROW(SequenceDataset::Open(folder_ / "missing"), InputError);
  SmallSequences().Write(path_);
  EXPECT_THROW(Dataset::Open(path_), InputError);
  WriteSeal(path_, "lockstep.sequences", 2, 0);
  EXPECT_THROW(SequenceDataset::Open(path_), InputError);
}

/// A file of labels by hand, in which anything may be wrong though every digest holds.
struct HandMade {
  std::string form = "labels";
  std::string kind = "tokens";
  std::vector<uint8_t> values = {1, 2, 3, 1};
  std::vector<uint32_t> lengths = {3, 1};
  std::vector<uint8_t> labels = {0, 1};
  std::vector<uint64_t> train = {0, 2};

  void Write(const std::filesystem::path& path) const {
    H5Writer writer(path, path);
    writer.WriteAttribute("/", "form", form);
    writer.WriteAttribute("/fields/text", "kind", kind);
    const auto pieces = [&](const std::string& group, const std::vector<uint8_t>& bytes) {
      writer.WriteArray(group + "/values", std::span<const uint8_t>(bytes));
      const uint64_t digest[] = {ShortDigest(bytes.data(), bytes.size())};
      writer.WriteArray(group + "/value_digests", std::span<const uint64_t>(digest));
    };
    pieces("/fields/text", values);
    writer.WriteArray("/fields/text/lengths", std::span<const uint32_t>(lengths));
    WriteVocabulary(writer, Vocabulary(TokenKind::kWord, {"<unk>", "a", "b", "c"}, 0),
                    "/fields/text/vocabulary");
    writer.WriteAttribute("/fields/label", "kind", std::string("category"));
    pieces("/fields/label", labels);
    WriteStringList(writer, "/fields/label/names", {"no", "yes"});
    writer.WriteArray("/splits/train", std::span<const uint64_t>(train));
    WriteSources(writer, {}, "examples");
    writer.CloseAndCompare();
    WriteSeal(path, "lockstep.sequences", 1, 0);
  }
};

TEST_F(SequenceDatasetTest, WhatCannotBeIsDamageThoughAllDigestsHold) {
  HandMade().Write(path_);
  EXPECT_EQ(ReadIds(SequenceDataset::Open(path_), 0, 0), (std::vector<uint32_t>{1, 2, 3}));
  const auto damage = [&](const std::function<void(HandMade&)>& change) {
    HandMade made;
    change(made);
    made.Write(path_);
    try {
      SequenceDataset::Open(path_);
    } catch (const DamagedFileError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(damage([](auto& made) { made.form = "dreams"; }), HasSubstr("form: dreams"));
  EXPECT_THAT(damage([](auto& made) { made.form = "pairs"; }), HasSubstr("/fields/source"));
  EXPECT_THAT(damage([](auto& made) { made.kind = "tags"; }), HasSubstr("instead of tokens"));
  EXPECT_THAT(damage([](auto& made) { made.lengths = {3, 2}; }), HasSubstr("lengths"));
  EXPECT_THAT(damage([](auto& made) { made.lengths = {4, 0}; }), HasSubstr("no tokens"));
  EXPECT_THAT(damage([](auto& made) { made.lengths = {1, 1, 2}; }), HasSubstr("differ"));
  EXPECT_THAT(damage([](auto& made) { made.labels = {0}; }), HasSubstr("differ"));
  EXPECT_THAT(damage([](auto& made) { made.train = {0, 3}; }), HasSubstr("examples"));
  EXPECT_EQ(damage([](auto& made) { made.values[3] = made.labels[1] = 9; }), "none");
  const SequenceDataset dataset = SequenceDataset::Open(path_);
  EXPECT_THAT(ErrorOf([&] { ReadIds(dataset, 0, 0); }), HasSubstr("outside the vocabulary"));
  EXPECT_THROW(dataset.ReadCategory(1, 0), DamagedFileError);
}

// fletcher32 takes a chunk of zeros whose checksum is zero for whole.
TEST_F(SequenceDatasetTest, AZeroedChunkIsDamage) {
  const SmallSequences small(SequenceForm::kCaptions, 9000);
  small.Write(path_);
  std::string second;  // the second piece of the vectors
  for (uint64_t i = 4096; i < 8192; ++i) {
    second.append(reinterpret_cast<const char*>(small.numbers[i][0].data()), 16);
  }
  std::string bytes = Bytes(path_);
  const size_t chunk = bytes.find(second);
  ASSERT_NE(chunk, std::string::npos);
  bytes.replace(chunk, second.size() + 4, std::string(second.size() + 4, '\0'));
  PutBytes(path_, bytes);
  const SequenceDataset dataset = SequenceDataset::Open(path_);
  std::vector<float> numbers(4);
  dataset.ReadVector(0, 4095, numbers);
  EXPECT_THROW(dataset.ReadVector(0, 4096, numbers), DamagedFileError);
}

}  // namespace
}  // namespace lockstep::io
