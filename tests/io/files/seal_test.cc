#include "io/files/seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "io/errors.h"
#include "io/files/digest.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::HasSubstr;

template <typename Error, typename Function>
std::string MessageOf(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

class SealTest : public testing::Test {
 protected:
  SealTest() : path_(folder_ / "file.h5") {
    PutBytes(path_, std::string(kSealBytes, '\0') + "\x89HDF\r\n\x1a\n" + std::string(1000, 'x'));
  }

  TemporaryFolder folder_;
  std::filesystem::path path_;
};

TEST_F(SealTest, ReadsBackWhatWasSealed) {
  const std::string rest = Bytes(path_).substr(kSealBytes);
  WriteSeal(path_, "lockstep.checkpoint", 7, -5);
  for (const Seal& seal : {PeekSeal(path_), ReadSeal(path_), VerifyFile(path_)}) {
    EXPECT_EQ(seal.format, "lockstep.checkpoint");
    EXPECT_EQ(seal.version, 7u);
    EXPECT_EQ(seal.step, -5);
    EXPECT_EQ(seal.length_bytes, kSealBytes + rest.size());
    EXPECT_EQ(seal.digest, DigestHex(rest.data(), rest.size()));
  }
  EXPECT_EQ(Bytes(path_).substr(kSealBytes), rest);
}

TEST_F(SealTest, HasTheLayoutOfTheDocument) {
  WriteSeal(path_, "lockstep.tokens", 258, 772);
  const std::string block = Bytes(path_).substr(0, kSealBytes);
  EXPECT_EQ(block.substr(0, 8), "LOCKSTEP");
  EXPECT_EQ(block.substr(8, 32), "lockstep.tokens" + std::string(17, '\0'));
  EXPECT_EQ(block.substr(40, 8), std::string("\x02\x01\0\0\0\0\0\0", 8));
  EXPECT_EQ(block.substr(48, 8), std::string("\xf0\x05\0\0\0\0\0\0", 8));  // 1,520
  EXPECT_EQ(block.substr(56, 8), std::string("\x04\x03\0\0\0\0\0\0", 8));
  EXPECT_EQ(block.substr(80, 424), std::string(424, '\0'));
}

TEST_F(SealTest, EveryFlippedBitOfTheBlockIsSeen) {
  WriteSeal(path_, "lockstep.tokens", 1, 0);
  const std::string whole = Bytes(path_);
  for (size_t at = 0; at < kSealBytes; ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    PutBytes(path_, bytes);
    EXPECT_THROW(ReadSeal(path_), InputError) << at;
  }
}

TEST_F(SealTest, ReadSealSeesTheLengthAndVerifyFileTheRest) {
  WriteSeal(path_, "lockstep.tokens", 1, 0);
  const std::string whole = Bytes(path_);
  for (const std::string& bytes : {whole + "y", whole.substr(0, whole.size() - 1)}) {
    PutBytes(path_, bytes);
    EXPECT_NO_THROW(PeekSeal(path_));
    EXPECT_THROW(ReadSeal(path_), DamagedFileError);
  }
  PutBytes(path_, whole.substr(0, whole.size() - 1) + "y");
  EXPECT_NO_THROW(ReadSeal(path_));
  EXPECT_THROW(VerifyFile(path_), DamagedFileError);
}

TEST_F(SealTest, SaysWhatAFileWithoutASealIs) {
  EXPECT_THAT(MessageOf<DamagedFileError>([&] { ReadSeal(path_); }), HasSubstr("no seal"));
  PutBytes(path_, "");
  EXPECT_THAT(MessageOf<DamagedFileError>([&] { ReadSeal(path_); }), HasSubstr("empty"));
  PutBytes(path_, "LOCKSTEP and the end");
  EXPECT_THAT(MessageOf<DamagedFileError>([&] { ReadSeal(path_); }), HasSubstr("cut short"));
  PutBytes(path_, "LOCK");
  EXPECT_THAT(MessageOf<DamagedFileError>([&] { ReadSeal(path_); }), HasSubstr("cut short"));
  PutBytes(path_, "a text, longer than a seal " + std::string(1000, '.'));
  EXPECT_THAT(MessageOf<InputError>([&] { ReadSeal(path_); }), HasSubstr("of another format"));
  PutBytes(path_, "\x89HDF\r\n\x1a\n" + std::string(1000, '.'));
  EXPECT_THAT(MessageOf<InputError>([&] { ReadSeal(path_); }), HasSubstr("another program's HDF5"));
}

TEST_F(SealTest, WhatIsNoFileIsInputError) {
  EXPECT_THAT(MessageOf<InputError>([&] { ReadSeal(folder_ / "missing.h5"); }),
              testing::AllOf(HasSubstr("missing.h5"), HasSubstr("No such file")));
  EXPECT_THAT(MessageOf<InputError>([&] { ReadSeal(folder_.path()); }),
              HasSubstr("Name a file, not a folder"));
  // Opening a pipe must not wait for a writer.
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(MessageOf<InputError>([&] { ReadSeal(folder_ / "pipe"); }), HasSubstr("pipe"));
}

}  // namespace
}  // namespace lockstep::io
