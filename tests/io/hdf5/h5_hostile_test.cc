// Files that were made to do harm, with a seal and digests that hold: they are refused with an
// error of ours, soon, and before anything of their size is allocated or anything that they name is
// opened.

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "io/datasets/series_dataset.h"
#include "io/errors.h"
#include "io/files/digest.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5.h"
#include "io/inspect.h"
#include "tests/io/child_process.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::HasSubstr;

hid_t Space(const std::vector<hsize_t>& lengths, const std::vector<hsize_t>& most = {}) {
  return H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(),
                          most.empty() ? nullptr : most.data());
}

hid_t Chunks(const std::vector<hsize_t>& chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  return creation;
}

// A string attribute; a digest is one.
void PutString(hid_t object, const char* name, const std::string& value) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, value.size());
  const hid_t attribute =
      H5Acreate2(object, name, type, H5Screate(H5S_SCALAR), H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Awrite(attribute, type, value.data()), 0);
  H5Aclose(attribute);
}

// An array without values whose digest is that of zeros (what HDF5 gives for what is not stored),
// or of `bytes` of them at least.
void PutArray(hid_t file, const char* name, hid_t space, hid_t creation, uint64_t bytes = 0,
              hid_t type = H5T_IEEE_F32LE) {
  const hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  ASSERT_GE(array, 0) << name;
  const std::string zeros(bytes, '\0');
  PutString(array, kDigestAttribute, DigestHex(zeros.data(), zeros.size()));
  H5Dclose(array);
}

hid_t PutGroup(hid_t file, const std::string& name) {
  return H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

struct Hostile {
  const char* name;
  /// Adds the harm to a good file.
  std::function<void(hid_t file)> add;
  const char* words;  // of the message
};

const std::vector<Hostile>& Cases() {
  static const std::vector<Hostile> cases = {
      {"FourTerabytes",
       [](hid_t file) { PutArray(file, "x", Space({hsize_t{1} << 40}), Chunks({16384})); },
       "claims more bytes"},
      {"WrappedProduct",  // 2^66 bytes, 4 of them in 64 bits
       [](hid_t file) {
         PutArray(file, "x", Space({hsize_t{1} << 31, hsize_t{1} << 31, 4}), Chunks({1024, 16, 1}),
                  4);
       },
       "claims more bytes"},
      {"WrappedProductWithNothing",
       [](hid_t file) {
         PutArray(file, "x", Space({0, hsize_t{1} << 40, hsize_t{1} << 40}), Chunks({1, 1, 1}));
       },
       "claims more bytes"},
      {"ManyRowsOfNothing",  // each would be read
       [](hid_t file) {
         PutArray(file, "x", Space({hsize_t{1} << 40, 0}), Chunks({1, 1}));
       },
       "claims more bytes"},
      {"ManyThatClaimTheFileEach",
       [](hid_t file) {
         for (int i = 0; i < 100; ++i) {
           PutArray(file, std::string("x").append(std::to_string(i)).c_str(), Space({8000}),
                    Chunks({1000}), 32000);
         }
       },
       "its arrays claim more bytes"},
      {"AChunkOfGigabytes",
       [](hid_t file) {
         PutArray(file, "x", Space({10}, {H5S_UNLIMITED}), Chunks({hsize_t{1} << 29}), 40);
       },
       "claims more bytes"},
      {"NineDimensions",
       [](hid_t file) {
         const std::vector<hsize_t> ones(9, 1);
         PutArray(file, "x", Space(ones), Chunks(ones), 4);
       },
       "9 dimensions"},
      {"AnotherFilter",
       [](hid_t file) {
         const hid_t creation = Chunks({100});
         H5Pset_deflate(creation, 9);
         PutArray(file, "x", Space({100}), creation, 400);
       },
       "filter"},
      {"TwoFilters",
       [](hid_t file) {
         const hid_t creation = Chunks({100});
         H5Pset_shuffle(creation);
         H5Pset_fletcher32(creation);
         PutArray(file, "x", Space({100}), creation, 400);
       },
       "filter"},
      {"Contiguous", [](hid_t file) { PutArray(file, "x", Space({100}), H5P_DEFAULT, 400); },
       "chunks"},
      {"ValuesInAnotherFile",
       [](hid_t file) {
         const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
         H5Pset_external(creation, "/etc/hostname", 0, 4);
         PutArray(file, "x", Space({1}), creation, 4);
       },
       "chunks"},
      {"AVirtualArray",
       [](hid_t file) {
         const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
         H5Pset_virtual(creation, Space({1}), "other.h5", "/tokens", Space({1}));
         PutArray(file, "x", Space({1}), creation, 4);
       },
       "chunks"},
      {"AnotherType",
       [](hid_t file) { PutArray(file, "x", Space({1}), Chunks({1}), 2, H5T_STD_I16LE); }, "type"},
      {"ASoftLink",
       [](hid_t file) { H5Lcreate_soft("/vocabulary", file, "x", H5P_DEFAULT, H5P_DEFAULT); },
       "link to elsewhere"},
      {"ALinkToAnotherFile",
       [](hid_t file) {
         H5Lcreate_external("other.h5", "/tokens", file, "x", H5P_DEFAULT, H5P_DEFAULT);
       },
       "link to elsewhere"},
      {"AGroupInItself",
       [](hid_t file) {
         const hid_t group = PutGroup(file, "x");
         H5Lcreate_hard(group, ".", group, "again", H5P_DEFAULT, H5P_DEFAULT);
         H5Gclose(group);
       },
       "has another name"},
      {"PathsWithoutEnd",  // 8^14 of them, none deeper than 15
       [](hid_t file) {
         hid_t group = PutGroup(file, "x");
         for (int depth = 0; depth < 14; ++depth) {
           const hid_t next = PutGroup(group, "0");
           for (int i = 1; i < 8; ++i) {
             H5Lcreate_hard(group, "0", group, std::to_string(i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
           }
           H5Gclose(group);
           group = next;
         }
         H5Gclose(group);
       },
       "has another name"},
      {"GroupsWithoutEnd",
       [](hid_t file) {
         hid_t group = PutGroup(file, "x");
         for (int depth = 0; depth < 20; ++depth) {
           const hid_t next = PutGroup(group, "x");
           H5Gclose(group);
           group = next;
         }
         H5Gclose(group);
       },
       "nested"},
      {"TooManyObjects",
       [](hid_t file) {
         // Names alone: what they lead to is not looked at.
         const hid_t group = PutGroup(file, "x");
         H5Gclose(PutGroup(file, "y"));
         for (int i = 0; i < 66000; ++i) {
           H5Lcreate_hard(file, "y", group, std::to_string(i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
         }
         H5Gclose(group);
       },
       "names"},
      {"ALongName", [](hid_t file) { H5Gclose(PutGroup(file, std::string(5000, 'x'))); }, "names"},
      {"ANamedType",
       [](hid_t file) {
         const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
         H5Tcommit2(file, "x", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
         H5Tclose(type);
       },
       "neither"},
  };
  return cases;
}

struct Read {
  hid_t object;
  const char* name;
};

// One that a reader of the file takes, a string or (a dataset of series has none) an integer: it is
// taken away, for another one to be put there.
Read TakeAttribute(hid_t file, const char* in_vocabulary) {
  const bool has_vocabulary = H5Lexists(file, "vocabulary", H5P_DEFAULT) > 0;
  const Read read = {H5Oopen(file, has_vocabulary ? "vocabulary" : "/", H5P_DEFAULT),
                     has_vocabulary ? in_vocabulary : "frequency"};
  EXPECT_GE(H5Adelete(read.object, read.name), 0);
  return read;
}

// Attributes that a reader takes.
const std::vector<Hostile>& AttributeCases() {
  static const std::vector<Hostile> cases = {
      {"ALongString",
       [](hid_t file) {
         const Read read = TakeAttribute(file, "kind");
         PutString(read.object, read.name, "char" + std::string(1 << 20, '\0'));
         H5Oclose(read.object);
       },
       "short string"},
      {"ALongInteger",
       [](hid_t file) {
         const Read read = TakeAttribute(file, "lowercase");
         const hid_t type = H5Tcopy(H5T_STD_I64LE);
         H5Tset_size(type, 16);
         H5Aclose(H5Acreate2(read.object, read.name, type, H5Screate(H5S_SCALAR), H5P_DEFAULT,
                             H5P_DEFAULT));
         H5Oclose(read.object);
       },
       "it should be a"},
      {"ManyValuesInOne",
       [](hid_t file) {
         const Read read = TakeAttribute(file, "lowercase");
         H5Aclose(H5Acreate2(read.object, read.name, H5T_STD_I64LE, Space({1 << 20}), H5P_DEFAULT,
                             H5P_DEFAULT));
         H5Oclose(read.object);
       },
       "one value"},
  };
  return cases;
}

class HostileTest : public testing::TestWithParam<Hostile> {
 protected:
  // A file with the harm in it, sealed.
  std::filesystem::path Make(const char* name, const FileFormat& format) {
    const std::filesystem::path path = folder_ / name;
    if (format.name == kDatasetFormat.name) WriteDataset(path, 40000, 100);
    if (format.name == kSeriesFormat.name) SmallSeries(3, 3000).Write(path);
    if (format.name == kCheckpointFormat.name) SmallCheckpoint(5).Write(path);
    H5Calls::PrepareThread();
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, access);
    EXPECT_GE(file, 0);
    GetParam().add(file);
    EXPECT_GE(H5Fclose(file), 0);
    WriteSeal(path, std::string(format.name), format.version, 5);
    EXPECT_NO_THROW(VerifyFile(path));
    return path;
  }

  static void ExpectDamage(const std::function<void()>& read) {
    EXPECT_THAT(read, testing::ThrowsMessage<DamagedFileError>(HasSubstr(GetParam().words)));
  }

  TemporaryFolder folder_;
};

TEST_P(HostileTest, IsRefused) {
  // Files that the hostile one names: opening a pipe would wait for ever.
  ASSERT_EQ(::mkfifo((folder_ / "other.h5").c_str(), 0600), 0);
  const std::filesystem::path checkpoint = Make("checkpoint.h5", kCheckpointFormat);
  const std::filesystem::path dataset = Make("dataset.h5", kDatasetFormat);
  const std::filesystem::path series = Make("series.h5", kSeriesFormat);
  // In a child with little memory and time: what goes wrong must not take the test with it.
  ChildProcess child([&] {
    ::alarm(20);
    const rlimit most = {uint64_t{2} << 30, uint64_t{2} << 30};
    ::setrlimit(RLIMIT_AS, &most);
    ExpectDamage([&] { ReadCheckpoint(checkpoint); });
    ExpectDamage([&] { Dataset::Open(dataset); });
    ExpectDamage([&] { SeriesDataset::Open(series); });
    for (const auto& path : {checkpoint, dataset, series}) {
      const nlohmann::ordered_json json = InspectFile(path);
      EXPECT_EQ(json["whole"], false);
      if (json["whole"] == false) {
        EXPECT_THAT(json["damage"].get<std::string>(), HasSubstr(GetParam().words));
      }
    }
    return HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), 0) << "-1: it crashed, or took too long; 99: it threw something else";
}

std::string NameOf(const testing::TestParamInfo<Hostile>& test) { return test.param.name; }
INSTANTIATE_TEST_SUITE_P(Objects, HostileTest, testing::ValuesIn(Cases()), NameOf);
INSTANTIATE_TEST_SUITE_P(Attributes, HostileTest, testing::ValuesIn(AttributeCases()), NameOf);

// A checkpoint alone: nothing reads all attributes of a group of a dataset.
TEST(HostileCheckpointTest, TooManyCounters) {
  const TemporaryFolder folder;
  SmallCheckpoint checkpoint(5);
  for (int i = 0; i < 5000; ++i) checkpoint.header.counters["more" + std::to_string(i)] = i;
  EXPECT_ANY_THROW(checkpoint.Write(folder / "a.h5"));
  EXPECT_TRUE(folder.Names().empty());
}

// Superblocks of older HDF5 and such with an extension, which HDF5 parses before we can ask.
TEST(HostileSuperblockTest, IsRefusedBeforeHdf5ParsesIt) {
  H5Calls::PrepareThread();
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "file.h5";
  for (const bool extension : {false, true}) {
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_userblock(creation, kSealBytes);
    if (extension) {
      H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
      H5Pset_file_space_strategy(creation, H5F_FSPACE_STRATEGY_FSM_AGGR, true, 1);
    }
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
    ASSERT_GE(file, 0);
    ASSERT_GE(H5Fclose(file), 0);
    WriteSeal(path, "lockstep.tokens", 1, 0);
    EXPECT_THAT([&] { Dataset::Open(path); },
                testing::ThrowsMessage<DamagedFileError>(HasSubstr("does not begin as ours do")));
    EXPECT_EQ(InspectFile(path)["whole"], false);
  }
}

}  // namespace
}  // namespace lockstep::io
