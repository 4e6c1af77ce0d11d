// Which folder may include what (README, "The code"): greps the #include lines. And what may not be
// known where.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolders[] = {"proto", "io", "worker", "trainer"};

struct Include {
  std::string folder;  // "io"
  std::string file;    // "io/hdf5/h5.cc"
  std::string what;    // "hdf5.h"
};

// Each pattern is compiled once: there are tens of thousands of questions.
bool Matches(const std::string& text, const char* pattern) {
  static std::map<const char*, std::regex> compiled;
  return std::regex_search(text, compiled.try_emplace(pattern, pattern).first->second);
}

/// A library, and where it may be included.
struct Library {
  const char* name;
  const char* headers;  // regular expression of what is included
  const char* allowed;  // regular expression of the files that may
};
constexpr Library kLibraries[] = {
    {"MPI", "(^|/)mpi[^/]*\\.h$",
     "^trainer/ranks/"
     "(piece_exchange\\.h|(communicator|gradient_sum|mpi_error|piece_exchange)\\.cc)$"},
    {"HDF5", "(^|/)(hdf5|hdf5_hl|H5[A-Z][A-Za-z]*)\\.h$", "^io/hdf5/"},
    {"ICU", "^unicode/", "^io/"},
    {"xxhash", "(^|/)(xxhash|xxh3|xxh_x86dispatch)\\.h$", "^io/"},
    {"zlib", "^zlib\\.h$", "^io/"},
    {"oneTBB", "^(oneapi/)?tbb/", "^io/text/corpus_reader\\.cc$"},
    {"oneDNN", "(^|/)(dnnl|mkldnn)[^/]*\\.(h|hpp)$",
     "^worker/products/(gemm|instruction_set)\\.cc$"},
    {"Highway", "^hwy/", "^worker/"},
    {"Protobuf", "^google/protobuf/|\\.pb\\.h$", "^(proto|trainer)/"},
};

// Empty when this include is allowed.
std::string Breach(const Include& include) {
  if (Matches(include.what, "(^|/)\\.\\.?(/|$)"))
    return "a path with dots hides which folder it is";
  if (Matches(include.what, "^(launch|tests)/")) return "the product includes no " + include.what;
  for (const std::string_view folder : kFolders) {
    if (!include.what.starts_with(std::string(folder) + "/") || include.folder == folder) continue;
    if (folder == "trainer") return "nothing includes trainer/ but trainer/ and tests/";
    if (include.folder != "trainer") return "only trainer/ includes other folders";
  }
  if (Matches(include.file, "^trainer/(data|ranks)/") &&
      Matches(include.what, "^trainer/(commands|run|tasks)/")) {
    return "arrows run from commands to run, tasks, and then data and ranks";
  }
  for (const Library& library : kLibraries) {
    if (Matches(include.what, library.headers) && !Matches(include.file, library.allowed)) {
      return std::string(library.name) + " is allowed only in " + library.allowed;
    }
  }
  return "";
}

std::vector<Include> IncludesOf(const fs::path& root, std::string_view folder) {
  static const std::regex kInclude("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  std::vector<Include> includes;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    if (!Matches(entry.path().filename().string(), "\\.(h|hh|hpp|c|cc|cpp|cxx|inc|inl)$")) continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (line.find("include") == line.npos) continue;  // far quicker than what follows
      if (!std::regex_search(line, match, kInclude)) continue;
      includes.push_back(
          {std::string(folder), entry.path().lexically_relative(root).string(), match[1].str()});
    }
  }
  return includes;
}

// "io/a.cc includes <mpi.h>: MPI is allowed only in ...", sorted.
std::vector<std::string> Breaches(const fs::path& root) {
  std::vector<std::string> breaches;
  for (const std::string_view folder : kFolders) {
    for (const Include& include : IncludesOf(root, folder)) {
      const std::string breach = Breach(include);
      if (!breach.empty()) {
        breaches.push_back(include.file + " includes " + include.what + ": " + breach);
      }
    }
  }
  std::sort(breaches.begin(), breaches.end());
  return breaches;
}

TEST(IncludesTest, NoneIsWrong) { EXPECT_THAT(Breaches(LOCKSTEP_SOURCE_DIR), testing::IsEmpty()); }

// A grep that finds nothing would pass, too.
TEST(IncludesTest, EveryLibraryIsSeenWhereItBelongs) {
  std::vector<Include> all;
  for (const std::string_view folder : kFolders) {
    const std::vector<Include> includes = IncludesOf(LOCKSTEP_SOURCE_DIR, folder);
    EXPECT_GT(includes.size(), 20u) << folder;
    all.insert(all.end(), includes.begin(), includes.end());
  }
  for (const Library& library : kLibraries) {
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Include& include) {
      return Matches(include.what, library.headers);
    })) << library.name;
  }
}

// Files that serve every task, and a word in them that is of one task only. The names that files on
// disk have are older than the second task.
std::vector<std::string> WordsOfOneTask(const fs::path& root) {
  static const std::regex kWord(
      "token|vocabular|LanguageModel|language_model|[Ff]orecast|[Ss]eries", std::regex::optimize);
  static const std::regex kAllowed("\"tokens(_per_second)?\"|most_tokens");
  std::vector<std::string> found;
  for (const char* part : {"trainer/run", "trainer/ranks", "trainer/terminal"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / part)) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        line = std::regex_replace(line, kAllowed, "");
        if (!std::regex_search(line, kWord)) continue;
        found.push_back(entry.path().lexically_relative(root).string() + ": " + line);
      }
    }
  }
  return found;
}

TEST(TasksTest, WhatServesEveryTaskKnowsNone) {
  EXPECT_THAT(WordsOfOneTask(LOCKSTEP_SOURCE_DIR), testing::IsEmpty());
}

// A grep that finds nothing would pass, too.
TEST(TasksTest, AWordOfOneTaskIsFound) {
  const io::TemporaryFolder copy;
  fs::create_directories(copy / "trainer");
  for (const char* folder : {"run", "ranks", "terminal"}) {
    fs::copy(fs::path(LOCKSTEP_SOURCE_DIR) / "trainer" / folder, copy / "trainer" / folder,
             fs::copy_options::recursive);
  }
  std::ofstream(copy / "trainer/run/train_loop.cc", std::ios::app) << "int64_t tokens;\n";
  EXPECT_THAT(WordsOfOneTask(copy.path()),
              testing::ElementsAre("trainer/run/train_loop.cc: int64_t tokens;"));
}

// The same sources with one wrong line in them.
struct Wrong {
  const char* file;
  const char* line;
};

class WrongIncludeTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongIncludeTest, IsFound) {
  const io::TemporaryFolder copy;
  for (const std::string_view folder : kFolders) {
    fs::copy(fs::path(LOCKSTEP_SOURCE_DIR) / folder, copy / folder, fs::copy_options::recursive);
  }
  ASSERT_THAT(Breaches(copy.path()), testing::IsEmpty());
  const fs::path file = copy / GetParam().file;
  ASSERT_TRUE(fs::exists(file)) << "choose another file for this test";
  std::ofstream(file, std::ios::app) << GetParam().line << "\n";
  EXPECT_THAT(
      Breaches(copy.path()),
      testing::ElementsAre(testing::StartsWith(std::string(GetParam().file) + " includes ")));
}

// "io_errors_h_3"
std::string NameOfWrong(const testing::TestParamInfo<Wrong>& one) {
  std::string name = one.param.file;
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || c == '.'; }, '_');
  return name + "_" + std::to_string(one.index);
}

INSTANTIATE_TEST_SUITE_P(
    Includes, WrongIncludeTest,
    testing::Values(Wrong{"io/errors.h", "#include \"worker/products/gemm.h\""},
                    Wrong{"io/errors.h", "#include \"proto/run_config.h\""},
                    Wrong{"proto/run_config.cc", "#include \"io/errors.h\""},
                    Wrong{"proto/run_config.h", "#include \"worker/products/gemm.h\""},
                    Wrong{"worker/products/gemm.cc", "#include \"io/errors.h\""},
                    Wrong{"worker/products/gemm.h", "#include <proto/run_config.pb.h>"},
                    Wrong{"worker/products/gemm.h", "#include \"trainer/data/lanes.h\""},
                    Wrong{"io/hdf5/h5.cc", "  #  include \"trainer/data/lanes.h\""},
                    Wrong{"worker/products/gemm.h", "#include \"../io/errors.h\""},
                    Wrong{"trainer/data/lanes.cc", "#include \"tests/io/temporary_folder.h\""},
                    Wrong{"trainer/data/items.h", "#include \"trainer/tasks/task.h\""},
                    Wrong{"trainer/run/train_loop.cc", "#include <mpi.h>"},
                    Wrong{"trainer/ranks/communicator.h", "#include <mpi.h>"},
                    Wrong{"io/checkpoints/checkpoint.cc", "#include <hdf5.h>"},
                    Wrong{"trainer/run/checkpointer.cc", "#include <H5Fpublic.h>"},
                    Wrong{"trainer/commands/inspect_command.cc", "#include <unicode/unistr.h>"},
                    Wrong{"worker/philox.h", "#include <xxhash.h>"},
                    Wrong{"worker/layers/recurrent_layer.cc", "#include <oneapi/dnnl/dnnl.hpp>"},
                    Wrong{"worker/products/gemm.h", "#include <dnnl.hpp>"},
                    Wrong{"trainer/data/lanes.cc", "#include <hwy/highway.h>"},
                    Wrong{"io/errors.h", "#include <google/protobuf/message.h>"}),
    NameOfWrong);

}  // namespace
}  // namespace lockstep
