// The Python in io/FORMATS.md reads what we write, and we read what it writes. Skipped where Python
// has no h5py or xxhash; the part with PyTorch, where there is no torch.

#include <array>
#include <cstdio>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "io/datasets/sequence_dataset.h"
#include "io/datasets/series_dataset.h"
#include "io/files/seal.h"
#include "io/inspect.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/small_sequences.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

// The program's output; "failed" when it fails.
std::string OutputOf(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "failed";
  std::string output;
  std::array<char, 4096> buffer{};
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  return ::pclose(pipe) == 0 ? output : "failed";
}

// The first Python that has these modules; empty when none has.
std::string PythonWith(const std::string& modules) {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (OutputOf(python + " -c 'import " + modules + "' 2>/dev/null") != "failed") return python;
  }
  return "";
}

// Writes every ```python block of the document to the file that its first line names.
void WriteScripts(const TemporaryFolder& folder) {
  std::istringstream document(Bytes(LOCKSTEP_FORMATS_MD));
  std::string name, script;
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line == "```python") {
      inside = true;
      std::getline(document, line);
      name = line.substr(2);
      script = "";
    } else if (inside && line == "```") {
      inside = false;
      PutBytes(folder / name, script);
    } else if (inside) {
      script += line + '\n';
    }
  }
}

class FormatsTest : public testing::Test {
 protected:
  void SetUp() override {
    python_ = PythonWith("h5py, xxhash");
    if (python_.empty()) GTEST_SKIP() << "no Python with h5py and xxhash";
    WriteScripts(folder_);
  }

  std::string RunScript(const std::string& python, const std::string& script,
                        const std::string& arguments) {
    return OutputOf(python + " " + (folder_ / script).string() + " " + arguments);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.h5";
  std::string python_;
};

TEST_F(FormatsTest, PythonReadsOurDataset) {
  DatasetWriter writer(path_, Vocabulary(TokenKind::kChar, {"h", "e", "l", "o"}, std::nullopt));
  writer.Append(std::vector<uint32_t>{0, 1, 2, 2, 3, 0});
  writer.Publish(std::vector<double>{5, 1}, {});
  EXPECT_EQ(RunScript(python_, "read_dataset.py", path_.string()), "4 0 5 b'hello'\n");
  std::string bytes = Bytes(path_);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  PutBytes(path_, bytes);
  EXPECT_EQ(RunScript(python_, "read_dataset.py", path_.string() + " 2>/dev/null"), "failed");
}

TEST_F(FormatsTest, WeReadPythonsDataset) {
  // Python sorts by code point, so these are in the order of their ids.
  const std::vector<std::string> characters = {"a", "b", "z", "\xc3\xa9"};
  std::string text;
  std::vector<int32_t> ids;
  for (int i = 0; i < 40000; ++i) {
    ids.push_back(i * 5 % 7 % 4);
    text += characters[static_cast<size_t>(ids.back())];
  }
  ASSERT_EQ(RunScript(python_, "write_dataset.py", path_.string() + " '" + text + "'"), "");
  EXPECT_EQ(InspectFile(path_)["whole"], true) << InspectFile(path_).dump(1);
  const Dataset dataset = Dataset::Open(path_);
  EXPECT_EQ(dataset.vocabulary().tokens(), characters);
  std::vector<int32_t> read(40000);
  dataset.Read(0, read);
  EXPECT_EQ(read, ids);
  EXPECT_EQ(dataset.split("validation").begin, 36000u);
  // The same contents through our writer have the same fingerprint.
  DatasetWriter writer(folder_ / "ours.h5", dataset.vocabulary());
  writer.Append(std::vector<uint32_t>(read.begin(), read.end()));
  EXPECT_EQ(writer.Publish(std::vector<double>{9, 1}, {}), dataset.fingerprint());
}

TEST_F(FormatsTest, PythonReadsOurSeries) {
  SmallSeries small(2, 8);
  small.rows[1] = {1, 2, 3, 0, 3, 2, 3, 0, 1, 2, 3, 0, 3, 2, 3, 0, 5,   2,   3, 1,
                   5, 2, 3, 1, 5, 2, 3, 1, 5, 2, 3, 1, 7, 4, 3, 2, NAN, NAN, 3, 1};
  small.Write(path_);
  EXPECT_THAT(
      RunScript(python_, "read_series.py", path_.string()),
      testing::AllOf(testing::HasSubstr("['load', 'wind'] ['price', 'holiday'] 1h\n"),
                     testing::HasSubstr("series 0 8 0 4 8 "),
                     // Its training rows: 1, 3, 1, 3 and 2, 2, 2, 2.
                     testing::HasSubstr("series 1 9 1 4 9 [7.0, 4.0, 3.0, 2.0] [5.0, 2.0]\n")));
}

TEST_F(FormatsTest, WeReadPythonsSeries) {
  ASSERT_EQ(RunScript(python_, "write_series.py", path_.string()), "");
  EXPECT_EQ(InspectFile(path_)["whole"], true) << InspectFile(path_).dump(1);
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  ASSERT_EQ(dataset.series_count(), 2u);
  EXPECT_EQ(dataset.series(1).id, "second");
  EXPECT_EQ(dataset.series(1).first_row, 300u);
  EXPECT_EQ(dataset.series(1).train_end, 350u);
  EXPECT_EQ(dataset.description().frequency, (Frequency{3600, 0}));
  std::vector<float> rows(800);
  dataset.ReadRows(0, rows);
  EXPECT_FLOAT_EQ(rows[310], std::sin(10 / 5.0f + 1));
  // The same contents through our writer have the same scale, to rounding.
  SeriesDatasetWriter writer(folder_ / "ours.h5", dataset.description());
  for (uint64_t i = 0; i < 2; ++i) {
    writer.StartSeries(dataset.series(i));
    writer.Append(std::span(rows).subspan(i * 300, dataset.series(i).rows));
  }
  const std::string fingerprint = writer.Publish();
  const SeriesDataset ours = SeriesDataset::Open(folder_ / "ours.h5");
  EXPECT_EQ(ours.fingerprint(), fingerprint);
  for (uint64_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(ours.means(i)[0], dataset.means(i)[0], 1e-12);
    EXPECT_NEAR(ours.deviations(i)[0], dataset.deviations(i)[0], 1e-12);
  }
}

TEST_F(FormatsTest, PythonReadsOurSequences) {
  SmallSequences(SequenceForm::kTags).Write(path_);
  EXPECT_EQ(RunScript(python_, "read_sequences.py", path_.string()),
            "tags label tags text\n<unk> I-tags I-label\nan be O Q O\nbe cat <unk> P I-tags P P\n");
  SmallSequences(SequenceForm::kCaptions).Write(path_);
  EXPECT_THAT(RunScript(python_, "read_sequences.py", path_.string()),
              testing::HasSubstr("captions text vector\n<unk> 0.0 0.25 0.5 0.75\n"));
}

TEST_F(FormatsTest, WeReadPythonsSequences) {
  ASSERT_EQ(RunScript(python_, "write_sequences.py", path_.string()), "");
  EXPECT_EQ(InspectFile(path_)["whole"], true) << InspectFile(path_).dump(1);
  const SequenceDataset dataset = SequenceDataset::Open(path_);
  EXPECT_EQ(dataset.size(), 9000u);
  EXPECT_EQ(dataset.split("validation").begin, 8000u);
  EXPECT_EQ(dataset.field("label").names, (std::vector<std::string>{"ham", "spam"}));
  EXPECT_EQ(dataset.ReadCategory(1, 8997), 1);
  // The same contents through our writer have the same fingerprint.
  SequenceDatasetWriter writer(folder_ / "ours.h5", dataset.form(), dataset.fields());
  for (uint64_t i = 0; i < dataset.size(); ++i) {
    std::vector<int32_t> text(dataset.Length(0, i));
    dataset.ReadIds(0, i, text);
    ASSERT_EQ(text.size(), 1 + i % 3);
    const std::vector<uint32_t> ids(text.begin(), text.end());
    const uint32_t label[] = {static_cast<uint32_t>(dataset.ReadCategory(1, i))};
    writer.Append(std::vector<SequenceValue>{{ids, {}}, {label, {}}});
  }
  EXPECT_EQ(writer.Publish(std::vector<uint64_t>{8000, 9000}, {}), dataset.fingerprint());
}

TEST_F(FormatsTest, TorchLoadsOurCheckpoint) {
  const std::string python = PythonWith("h5py, xxhash, torch");
  if (python.empty()) GTEST_SKIP() << "no Python with torch";
  SmallCheckpoint checkpoint(3);
  checkpoint.tensors.clear();
  const uint64_t inputs = 5, hidden = 6;
  for (const std::string layer : {"0", "1"}) {
    checkpoint.Add("parameters/rnn.weight_ih_l" + layer,
                   {4 * hidden, layer == "0" ? inputs : hidden});
    checkpoint.Add("parameters/rnn.weight_hh_l" + layer, {4 * hidden, hidden});
    checkpoint.Add("parameters/rnn.bias_ih_l" + layer, {4 * hidden});
    checkpoint.Add("parameters/rnn.bias_hh_l" + layer, {4 * hidden});
  }
  checkpoint.Write(path_);
  std::istringstream output(RunScript(python, "load_lstm.py", path_.string()));
  double read_inputs = 0, read_hidden = 0, layers = 0, value = 0;
  output >> read_inputs >> read_hidden >> layers >> value;
  EXPECT_EQ(read_inputs, 5);
  EXPECT_EQ(read_hidden, 6);
  EXPECT_EQ(layers, 2);
  EXPECT_EQ(static_cast<float>(value), checkpoint.tensors[0].values[1 * inputs + 2]);
}

}  // namespace
}  // namespace lockstep::io
