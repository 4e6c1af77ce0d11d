#include "io/hdf5/h5.h"

#include <cmath>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

class H5Test : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.h5";
};

TEST_F(H5Test, ArraysComeBackInEveryShape) {
  const std::vector<std::vector<uint64_t>> shapes = {
      {},     {1},          {0},        {3, 0, 2},   {0, 0},
      {5, 7}, {2, 3, 4, 5}, {600, 700}, {3, 300000}, {2, 2, 200000}};
  std::vector<float> values(900000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 3;
  H5Writer writer(path_, path_);
  for (size_t i = 0; i < shapes.size(); ++i) {
    writer.WriteArray("/a/b/" + std::to_string(i), ElementType::kFloat32, shapes[i], values.data());
  }
  writer.CloseAndCompare();
  const H5Reader reader(path_);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const H5Array array = reader.OpenArray("/a/b/" + std::to_string(i));
    EXPECT_EQ(array.is_scalar(), shapes[i].empty());
    EXPECT_EQ(array.shape(), shapes[i].empty() ? std::vector<uint64_t>{1} : shapes[i]);
    std::vector<float> read(array.size());
    array.ReadAll(read.data());
    EXPECT_TRUE(std::equal(read.begin(), read.end(), values.begin())) << i;
    EXPECT_NO_THROW(array.Verify());
  }
}

TEST_F(H5Test, EveryTypeAndStreamsOfRowsComeBack) {
  const std::vector<int64_t> integers = {-5, int64_t{1} << 60};
  const std::vector<double> reals = {0.1, -1e300, 3, 4, 5, 6};
  H5Writer writer(path_, path_);
  writer.WriteArray("/integers", std::span<const int64_t>(integers));
  writer.WriteArray("/reals", std::span<const double>(reals));
  H5Stream stream = writer.StartStream("/rows", ElementType::kFloat64, {2, 2});
  stream.Append(reals.data(), 2);
  stream.Append(reals.data() + 4, 1);
  EXPECT_EQ(stream.size(), 3u);
  stream.Finish();
  writer.CloseAndCompare();
  const H5Reader reader(path_);
  EXPECT_EQ(reader.ReadArray<int64_t>("/integers"), integers);
  EXPECT_EQ(reader.ReadArray<double>("/reals"), reals);
  const H5Array rows = reader.OpenArray("/rows");
  EXPECT_EQ(rows.shape(), (std::vector<uint64_t>{3, 2}));
  std::vector<double> read(6);
  rows.ReadAll(read.data());
  EXPECT_EQ(read, reals);
  rows.ReadRows(1, 1, read.data());
  EXPECT_EQ(read[1], 4);
  EXPECT_THROW(reader.ReadArray<double>("/integers"), DamagedFileError);
}

TEST_F(H5Test, RowsAndStreamsComeBack) {
  H5Writer writer(path_, path_);
  H5Stream stream = writer.StartStream("/stream", ElementType::kUint16, {100});
  std::vector<uint16_t> values(1234);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i * 50);
  stream.Append(values.data(), 300);
  stream.Append(values.data() + 300, 0);
  stream.Append(values.data() + 300, 934);
  EXPECT_EQ(stream.size(), 1234u);
  stream.Finish();
  writer.CloseAndCompare();
  const H5Reader reader(path_);
  EXPECT_EQ(reader.ReadArray<uint16_t>("/stream"), values);
  std::vector<uint16_t> rows(150);
  // From another thread, too, HDF5 prints nothing and works.
  std::thread([&] { reader.OpenArray("/stream").ReadRows(90, 150, rows.data()); }).join();
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), values.begin() + 90));
  EXPECT_THROW(reader.ReadArray<uint32_t>("/stream"), DamagedFileError);
  EXPECT_THROW(reader.OpenArray("/missing"), DamagedFileError);
}

TEST_F(H5Test, AttributesComeBack) {
  H5Writer writer(path_, path_);
  writer.WriteAttribute("/", "least", std::numeric_limits<int64_t>::min());
  writer.WriteAttribute("/group", "empty", std::string());
  writer.WriteAttribute("/group", "text",
                        std::string("Stra\xc3\x9f"
                                    "e"));
  for (int i = 0; i < 40; ++i) writer.WriteAttribute("/i", "i" + std::to_string(i), int64_t{i});
  writer.WriteAttribute("/real", "nan", std::nan(""));
  writer.WriteAttribute("/real", "tenth", 0.1);
  writer.CloseAndCompare();
  const H5Reader reader(path_);
  EXPECT_EQ(reader.ReadInteger("/", "least"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(reader.ReadString("/group", "empty"), "");
  EXPECT_EQ(reader.ReadString("/group", "text"),
            "Stra\xc3\x9f"
            "e");
  EXPECT_EQ(reader.ReadIntegers("/i").size(), 40u);
  EXPECT_EQ(reader.ReadIntegers("/i").at("i39"), 39);
  EXPECT_EQ(reader.ReadReals("/real").at("tenth"), 0.1);
  EXPECT_TRUE(std::isnan(reader.ReadReals("/real").at("nan")));
  EXPECT_TRUE(reader.ReadReals("/missing").empty());
  EXPECT_THROW(reader.ReadInteger("/group", "text"), DamagedFileError);
  EXPECT_THROW(reader.ReadString("/", "least"), DamagedFileError);
  EXPECT_THROW(reader.ReadIntegers("/real"), DamagedFileError);
}

TEST_F(H5Test, StringListsComeBack) {
  const std::vector<std::string> strings = {"", "a", std::string("\0b", 2), "", "\xff"};
  H5Writer writer(path_, path_);
  WriteStringList(writer, "/strings", strings);
  WriteStringList(writer, "/none", {});
  const std::vector<uint64_t> wrong = {0, 3, 2, 4};
  writer.WriteText("/wrong/bytes", "abcd");
  writer.WriteArray("/wrong/offsets", std::span<const uint64_t>(wrong));
  writer.CloseAndCompare();
  const H5Reader reader(path_);
  EXPECT_EQ(ReadStringList(reader, "/strings"), strings);
  EXPECT_TRUE(ReadStringList(reader, "/none").empty());
  EXPECT_THROW(ReadStringList(reader, "/wrong"), DamagedFileError);
}

// A block of zeros passes fletcher32, whose checksum of zeros is zero. The digest sees it.
TEST_F(H5Test, AnArrayOfZeroedBlocksIsDamaged) {
  H5Writer writer(path_, path_);
  writer.WriteText("/text", std::string(20000, 'x'));
  writer.CloseAndCompare();
  std::string bytes = Bytes(path_);
  const size_t begin = bytes.find(std::string(20000, 'x'));
  ASSERT_NE(begin, std::string::npos);
  bytes.replace(begin, 20004, std::string(20004, '\0'));
  PutBytes(path_, bytes);
  const H5Reader reader(path_);
  EXPECT_THROW(reader.ReadText("/text"), DamagedFileError);
  EXPECT_THROW(reader.Contents(), DamagedFileError);
}

TEST_F(H5Test, WhatWasLostOnTheWayToTheDiskIsSeen) {
  H5Writer writer(path_, path_);
  writer.WriteText("/text", std::string(20000, 'x'));
  // As if the disk had taken this write and not kept it.
  std::string bytes = Bytes(path_);
  const size_t begin = bytes.find(std::string(5000, 'x'));
  ASSERT_NE(begin, std::string::npos);
  std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(begin))
      .write("lost", 4);
  EXPECT_THROW(writer.CloseAndCompare(), SystemError);
}

TEST_F(H5Test, FilesThatAreNotHdf5AreRefusedSilently) {
  testing::internal::CaptureStderr();
  EXPECT_THROW(H5Reader(folder_ / "missing.h5"), InputError);
  PutBytes(path_, "no HDF5");
  EXPECT_THROW(H5Reader{path_}, DamagedFileError);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace lockstep::io
