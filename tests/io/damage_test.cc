// Whatever happens to a file of ours, reading it is refused with an error of ours: never a crash, a
// hang or silent success.

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "io/datasets/series_dataset.h"
#include "io/errors.h"
#include "io/inspect.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/small_sequences.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

std::string Text(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string ReadAllOfCheckpoint(const std::filesystem::path& path) {
  const Checkpoint checkpoint = ReadCheckpoint(path);
  std::string all = checkpoint.header.configuration + checkpoint.header.dataset_fingerprint;
  for (const auto& [name, value] : checkpoint.header.counters) all += name + std::to_string(value);
  for (const auto& [name, value] : checkpoint.header.measures) all += name + std::to_string(value);
  for (const std::string& token : checkpoint.header.vocabulary->tokens()) all += token;
  for (const Tensor& tensor : checkpoint.tensors) all += tensor.name + Text(tensor.values);
  return all;
}

std::string ReadAllOfDataset(const std::filesystem::path& path) {
  const Dataset dataset = Dataset::Open(path);
  std::vector<int32_t> tokens(dataset.size_tokens());
  dataset.Read(0, tokens);
  std::string all = dataset.fingerprint();
  for (const int32_t token : tokens) all += static_cast<char>(token);
  for (const std::string& token : dataset.vocabulary().tokens()) all += token;
  for (const Split& split : dataset.splits()) all += split.name + std::to_string(split.end);
  for (const Source& source : dataset.ReadSources(100).first) {
    all += source.path + std::to_string(source.bytes) + std::to_string(source.size);
  }
  return all;
}

std::string ReadAllOfSeries(const std::filesystem::path& path) {
  const SeriesDataset dataset = SeriesDataset::Open(path);
  const SeriesDescription& description = dataset.description();
  std::string all =
      dataset.fingerprint() + description.time + FrequencyText(description.frequency) +
      std::string(MissingModeName(description.missing)) + std::to_string(description.scaled);
  for (const std::string& channel : description.channels) all += channel;
  for (const auto* covariates : {&description.known, &description.statics}) {
    for (const SeriesCovariate& covariate : *covariates) {
      all += covariate.name;
      for (const std::string& category : covariate.categories) all += category;
    }
  }
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const Series& series = dataset.series(i);
    all += series.id;
    for (const uint64_t number :
         {series.first_row, series.rows, series.future_rows, static_cast<uint64_t>(series.start),
          series.begin, series.train_end, series.validation_end, series.test_end}) {
      all += std::to_string(number) + ' ';
    }
    for (const double mean : dataset.means(i)) all += std::to_string(mean);
    for (const double deviation : dataset.deviations(i)) all += std::to_string(deviation);
    all += Text({dataset.statics(i).begin(), dataset.statics(i).end()});
  }
  std::vector<float> rows(dataset.row_count() * description.row_width());
  dataset.ReadRows(0, rows);
  all += Text(rows);
  for (const Source& source : dataset.ReadSources(100).first) {
    all += source.path + std::to_string(source.bytes) + std::to_string(source.size);
  }
  return all;
}

std::string ReadAllOfSequences(const std::filesystem::path& path) {
  const SequenceDataset dataset = SequenceDataset::Open(path);
  std::string all = std::string(SequenceFormName(dataset.form())) + dataset.fingerprint();
  for (const Split& split : dataset.splits()) {
    all += split.name + std::to_string(split.begin) + std::to_string(split.end);
  }
  for (int field = 0; field < std::ssize(dataset.fields()); ++field) {
    const SequenceField& described = dataset.fields()[static_cast<size_t>(field)];
    all += described.name;
    for (const std::string& token : described.vocabulary.tokens()) all += token;
    for (const std::string& name : described.names) all += name;
    for (const double mean : described.means) all += std::to_string(mean);
    for (const double deviation : described.deviations) all += std::to_string(deviation);
    std::vector<float> numbers(described.names.size());
    for (uint64_t i = 0; i < dataset.size(); ++i) {
      std::vector<int32_t> ids;
      switch (described.kind) {
        case SequenceField::Kind::kVector:
          dataset.ReadVector(field, i, numbers);
          all += Text(numbers);
          break;
        case SequenceField::Kind::kCategory:
          ids = {dataset.ReadCategory(field, i)};
          break;
        default:
          ids.resize(dataset.Length(field, i));
          dataset.ReadIds(field, i, ids);
      }
      for (const int32_t id : ids) all += std::to_string(id) + ' ';
    }
  }
  for (const Source& source : dataset.ReadSources(100).first) {
    all += source.path + std::to_string(source.bytes) + std::to_string(source.size);
  }
  return all;
}

struct Case {
  const char* name;
  void (*write)(const std::filesystem::path&);
  std::string (*read)(const std::filesystem::path&);
  /// The digest of the whole is checked before anything is read. Otherwise bytes that belong to
  /// nothing (HDF5's spare room) may change unseen, but what is read must be right.
  bool verifies_all;
  /// Of the bytes that could be flipped one by one, every so many-th is.
  size_t stride = 1;
};

class DamageTest : public testing::TestWithParam<Case> {
 protected:
  DamageTest() {
    GetParam().write(path_);
    whole_ = Bytes(path_);
    meant_ = GetParam().read(path_);
  }

  void ExpectRefused(const std::string& bytes, const std::string& what) {
    PutBytes(damaged_, bytes);
    try {
      const std::string read = GetParam().read(damaged_);
      EXPECT_TRUE(read == meant_ && !GetParam().verifies_all) << "silent: " << what;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(damaged_.string()), std::string::npos)
          << error.what() << what;
    }
    bool whole = false;
    try {
      whole = InspectFile(damaged_)["whole"];
    } catch (const InputError&) {
    }
    EXPECT_FALSE(whole) << what;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "whole.h5";
  std::filesystem::path damaged_ = folder_ / "damaged.h5";
  std::string whole_;
  std::string meant_;
};

TEST_P(DamageTest, FlippedBits) {
  for (size_t at = 0; at < whole_.size(); at += (1 + at / 600) * GetParam().stride) {
    std::string bytes = whole_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    ExpectRefused(bytes, "bit of byte " + std::to_string(at));
  }
}

TEST_P(DamageTest, Truncations) {
  for (size_t length = 0; length < whole_.size(); length += 1 + length / 40) {
    ExpectRefused(whole_.substr(0, length), "cut to " + std::to_string(length));
  }
  ExpectRefused(whole_.substr(0, whole_.size() - 1), "cut by one");
  ExpectRefused(whole_ + std::string(1, '\0'), "longer by one");
}

TEST_P(DamageTest, ZeroedBlocks) {
  for (const size_t block : {512, 4096, 32768}) {
    for (size_t at = 0; at < whole_.size(); at += block) {
      std::string bytes = whole_;
      const size_t length = std::min(block, bytes.size() - at);
      bytes.replace(at, length, std::string(length, '\0'));
      if (bytes != whole_) ExpectRefused(bytes, "zeros at " + std::to_string(at));
    }
  }
}

TEST_P(DamageTest, OtherThings) {
  ExpectRefused("", "empty");
  ExpectRefused("a text\n", "text");
  ExpectRefused(std::string(5000, '\0'), "zeros");
  ExpectRefused(whole_.substr(512), "no user block");
  ExpectRefused(std::string(512, '\0') + whole_.substr(512), "no seal");
  EXPECT_THROW(GetParam().read(folder_.path()), InputError);
  EXPECT_THROW(GetParam().read(folder_ / "missing.h5"), InputError);
}

INSTANTIATE_TEST_SUITE_P(
    Files, DamageTest,
    testing::Values(
        Case{"Checkpoint", [](const auto& path) { SmallCheckpoint(5).Write(path); },
             ReadAllOfCheckpoint, true},
        Case{"Dataset", [](const auto& path) { WriteDataset(path, 40000, 100); }, ReadAllOfDataset,
             false},
        Case{"Series", [](const auto& path) { SmallSeries(3, 3000).Write(path); }, ReadAllOfSeries,
             false},
        Case{"Tags", [](const auto& path) { SmallSequences(SequenceForm::kTags, 400).Write(path); },
             ReadAllOfSequences, false, 5},
        Case{"Captions",
             [](const auto& path) { SmallSequences(SequenceForm::kCaptions, 400).Write(path); },
             ReadAllOfSequences, false, 5}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lockstep::io
