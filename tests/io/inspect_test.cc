#include "io/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/errors.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_writer.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/small_sequences.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using nlohmann::ordered_json;

std::vector<std::string> Keys(const ordered_json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

class InspectTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.h5";
};

TEST_F(InspectTest, ADataset) {
  DatasetWriter writer(path_, MakeVocabulary(256));
  const std::vector<uint32_t> tokens = {65, 200, 65, 66, 65, 200};
  writer.Append(tokens);
  const std::string fingerprint =
      writer.Publish(std::vector<double>{50, 50}, {{"a\xff.txt", 6, 6}});
  const ordered_json json = InspectFile(path_);
  EXPECT_THAT(Keys(json), testing::ElementsAre("path", "format", "version", "bytes", "step",
                                               "digest", "whole", "tokens", "splits", "vocabulary",
                                               "source_count", "sources", "fingerprint"));
  EXPECT_EQ(json["path"], path_.string());
  EXPECT_EQ(json["format"], "lockstep.tokens");
  EXPECT_EQ(json["bytes"], std::filesystem::file_size(path_));
  EXPECT_EQ(json["digest"], ReadSeal(path_).digest);
  EXPECT_EQ(json["whole"], true);
  EXPECT_EQ(json["tokens"], 6);
  EXPECT_EQ(json["splits"][1]["name"], "validation");
  EXPECT_EQ(json["splits"][1]["tokens"], 3);
  EXPECT_EQ(json["vocabulary"]["kind"], "byte");
  EXPECT_EQ(json["vocabulary"]["size"], 256);
  EXPECT_TRUE(json["vocabulary"]["unknown"].is_null());
  EXPECT_EQ(json["vocabulary"]["most_common"][0]["token"], "A");
  EXPECT_EQ(json["vocabulary"]["most_common"][0]["count"], 3);
  EXPECT_EQ(json["vocabulary"]["most_common"][1]["token"], "\\xc8");
  EXPECT_EQ(json["sources"][0]["path"], "a\\xff.txt");
  EXPECT_EQ(json["fingerprint"], fingerprint);
  EXPECT_NO_THROW(json.dump());
}

TEST_F(InspectTest, SourcesAreCountedAndTheFirstAreListed) {
  std::vector<Source> sources(kMostInspectedSources + 5, {"a", 1, 0});
  DatasetWriter writer(path_, MakeVocabulary(256));
  writer.Append(std::vector<uint32_t>{65, 66});
  writer.Publish(std::vector<double>{100}, sources);
  EXPECT_EQ(InspectFile(path_)["source_count"], sources.size());
  EXPECT_EQ(InspectFile(path_)["sources"].size(), kMostInspectedSources);
  EXPECT_EQ(InspectFile(path_, 3)["sources"].size(), 3u);
}

TEST_F(InspectTest, ACheckpoint) {
  SmallCheckpoint(17).Write(path_);
  const ordered_json json = InspectFile(path_);
  EXPECT_EQ(json["format"], "lockstep.checkpoint");
  EXPECT_EQ(json["step"], 17);
  EXPECT_EQ(json["whole"], true);
  EXPECT_EQ(json["counters"]["step_in_epoch"], -7);
  EXPECT_EQ(json["measures"]["best_validation_loss"], 0.1);
  EXPECT_EQ(json["vocabulary"]["unknown"], 0);
  EXPECT_EQ(json["configuration"], SmallCheckpoint(17).header.configuration);
  EXPECT_EQ(json["tensors"].size(), SmallCheckpoint(17).tensors.size());
  EXPECT_EQ(json["tensors"][0], ordered_json({{"name", "empty"}, {"shape", {0, 5}}}));
  EXPECT_EQ(json["parameters"], 4 * 80);
  EXPECT_NO_THROW(json.dump());
}

TEST_F(InspectTest, ADatasetOfSeries) {
  SmallSeries small(120, 8);
  small.description.channels[1] = small.description.time = "\xff";
  small.description.known[1].categories[2] = small.series[1].id = "\xff";
  const std::string fingerprint = small.Write(path_);
  const ordered_json json = InspectFile(path_);
  EXPECT_EQ(json["format"], "lockstep.series");
  EXPECT_EQ(json["whole"], true);
  EXPECT_EQ(json["series_count"], 120);
  EXPECT_EQ(json["time"], "\\xff");
  EXPECT_EQ(json["frequency"], "1h");
  EXPECT_EQ(json["missing"], "mask");
  EXPECT_EQ(json["scale"], "standard");
  EXPECT_EQ(json["channels"][0]["name"], "load");
  // The first half of a line of 8 rows of 0.25, from 0 and from 119 * 10 on.
  EXPECT_EQ(json["channels"][1]["mean"]["min"], 0.25 * 1.5);
  EXPECT_EQ(json["channels"][1]["mean"]["max"], 0.25 * (1190 + 31));
  EXPECT_EQ(json["known"][1]["categories"], ordered_json({"no", "yes", "\\xff"}));
  EXPECT_EQ(json["statics"][0]["category_count"], 0);
  EXPECT_EQ(json["series"].size(), 100u);
  EXPECT_EQ(json["series"][2]["id"], "series 2");
  EXPECT_EQ(json["series"][2]["start"], "2016-06-30 22:00:00");
  EXPECT_EQ(json["series"][2]["rows"], 10);
  EXPECT_EQ(json["series"][2]["future_rows"], 2);
  EXPECT_EQ(json["series"][2]["splits"], ordered_json({0, 5, 7, 10}));
  EXPECT_EQ(json["rows"], 120 * 8 + 119 * 120 / 2);
  EXPECT_EQ(json["future_rows"], 120);
  EXPECT_EQ(json["series_rows"]["max"], 127);
  EXPECT_EQ(json["sources"][1]["path"], "b/second.csv");
  EXPECT_EQ(json["fingerprint"], fingerprint);
  EXPECT_NO_THROW(json.dump());
}

TEST_F(InspectTest, ADatasetOfSequences) {
  SmallSequences small;
  small.fields[1].names[2] = "\xff";
  const std::string fingerprint = small.Write(path_);
  const ordered_json json = InspectFile(path_);
  EXPECT_EQ(json["format"], "lockstep.sequences");
  EXPECT_EQ(json["whole"], true);
  EXPECT_EQ(json["form"], "tags");
  EXPECT_EQ(json["examples"], 40);
  EXPECT_EQ(json["splits"][1],
            ordered_json({{"name", "validation"}, {"begin", 20}, {"end", 30}, {"examples", 10}}));
  EXPECT_EQ(json["sources"][1]["path"], "b/second.txt");
  EXPECT_EQ(json["sources"][1]["examples"], 10);
  EXPECT_EQ(json["fingerprint"], fingerprint);
  const ordered_json& text = json["fields"][0];
  EXPECT_EQ(text["kind"], "tokens");
  EXPECT_EQ(text["tokens"], 5 * 28 + 15);
  EXPECT_EQ(text["longest"], 7);
  EXPECT_EQ(text["mean_length"], 155 / 40.0);
  EXPECT_EQ(text["vocabulary"]["kind"], "word");
  EXPECT_EQ(text["vocabulary"]["most_common"].size(), 5u);
  EXPECT_EQ(text["vocabulary"]["most_common"][4]["token"], "dog");
  EXPECT_EQ(text["vocabulary"]["most_common"][4]["count"], 0);
  EXPECT_EQ(json["fields"][1]["names"][2]["name"], "\\xff");
  EXPECT_EQ(json["fields"][2]["name_count"], 4);
  EXPECT_EQ(json["fields"][2]["names"][3], ordered_json({{"name", "Q"}, {"count", 10}}));
  EXPECT_NO_THROW(json.dump());

  SmallSequences(SequenceForm::kCaptions).Write(path_);
  EXPECT_EQ(InspectFile(path_)["fields"][0]["names"][3],
            ordered_json({{"name", "Q"}, {"mean", -4.5}, {"deviation", 1e-3}}));
}

TEST_F(InspectTest, DamageIsToldWithWhatIsLeft) {
  SmallCheckpoint(17).Write(path_);
  const std::string whole = Bytes(path_);
  std::string bytes = whole;
  const size_t text = bytes.find("model {");
  ASSERT_NE(text, std::string::npos);
  bytes[text] ^= 1;
  PutBytes(path_, bytes);
  const ordered_json flipped = InspectFile(path_);
  EXPECT_EQ(flipped["whole"], false);
  EXPECT_THAT(flipped["damage"].get<std::string>(), testing::HasSubstr("digest"));
  EXPECT_EQ(flipped["step"], 17);
  EXPECT_EQ(flipped["parameters"], 4 * 80);
  EXPECT_FALSE(flipped.contains("configuration"));

  PutBytes(path_, whole.substr(0, 1000));
  const ordered_json cut = InspectFile(path_);
  EXPECT_EQ(cut["whole"], false);
  EXPECT_THAT(cut["damage"].get<std::string>(), testing::HasSubstr("1000 bytes"));
  EXPECT_EQ(cut["bytes"], 1000);
  EXPECT_EQ(cut["step"], 17);

  PutBytes(path_, std::string(512, '\0') + whole.substr(512));
  const ordered_json unsealed = InspectFile(path_);
  EXPECT_THAT(Keys(unsealed), testing::ElementsAre("path", "bytes", "whole", "damage"));
}

// Found by tests/fuzz/inspect_fuzz.cc: not every string of a file is UTF-8, as JSON must be.
TEST_F(InspectTest, WhatIsNotUtf8IsEscapedEverywhere) {
  SmallCheckpoint checkpoint(17);
  checkpoint.header.configuration = checkpoint.header.dataset_fingerprint = "\xff";
  checkpoint.header.vocabulary = Vocabulary(TokenKind::kWord, {"\xff"}, 0, "\xff", true);
  checkpoint.header.counters = {{"\xff", 1}};
  checkpoint.header.measures = {{"\xff", 1.5}};
  checkpoint.tensors[0].name = "\xff";
  checkpoint.Write(path_);
  const ordered_json whole = InspectFile(path_);
  EXPECT_EQ(whole["whole"], true);
  EXPECT_EQ(whole["counters"], ordered_json({{"\\xff", 1}}));
  EXPECT_EQ(whole["measures"], ordered_json({{"\\xff", 1.5}}));
  EXPECT_EQ(whole["vocabulary"]["normalization"], "\\xff");
  EXPECT_NO_THROW(whole.dump());

  H5Writer writer(path_, path_);
  writer.WriteText("/tokens", "");
  writer.WriteAttribute("/vocabulary", "kind", std::string("\xff"));
  writer.CloseAndCompare();
  WriteSeal(path_, "lockstep.tokens", 1, 0);
  const ordered_json damaged = InspectFile(path_);
  EXPECT_THAT(damaged["damage"].get<std::string>(), testing::HasSubstr("kind: \\xff"));
  EXPECT_NO_THROW(damaged.dump());
}

TEST_F(InspectTest, WhatIsNotOursIsInputError) {
  PutBytes(path_, "a text");
  EXPECT_THROW(InspectFile(path_), InputError);
  EXPECT_THROW(InspectFile(folder_ / "missing"), InputError);
  EXPECT_THROW(InspectFile(folder_.path()), InputError);
  SmallCheckpoint(17).Write(path_);
  WriteSeal(path_, "lockstep.dreams", 1, 0);
  EXPECT_THROW(InspectFile(path_), InputError);
}

}  // namespace
}  // namespace lockstep::io
