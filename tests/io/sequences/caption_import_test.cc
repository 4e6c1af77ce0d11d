#include <cmath>

#include <gmock/gmock.h>
#include <hdf5.h>

#include "io/sequences/caption_columns.h"
#include "tests/io/sequences/imported.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CaptionImportTest : public SequenceImportTest {
 protected:
  CaptionImportTest() : SequenceImportTest(SequenceForm::kCaptions) {
    options_.text_column = "text";
  }
  void Table(std::string_view text) { options_.train = {Write("t.csv", text)}; }
};

TEST_F(CaptionImportTest, NumbersAreTakenAndOtherColumnsLeftOut) {
  Table("year,text,name,size\n2000,big one,x, 1.5\n2010,\"small, one\",y,-.5\n");
  Import();
  EXPECT_THAT(result_.fields[0].names, ElementsAre("year", "size"));
  EXPECT_THAT(result_.fields[0].means, ElementsAre(2005, 0.5));
  EXPECT_THAT(result_.fields[0].deviations, ElementsAre(5, 1));
  EXPECT_THAT(Vectors(), ElementsAre(ElementsAre(2000, 1.5f), ElementsAre(2010, -0.5f)));
  EXPECT_THAT(Field("text"), ElementsAre("big one", "small , one"));
  EXPECT_THAT(result_.notes, ElementsAre(HasSubstr("the column 'name' holds no numbers (")));
  EXPECT_THAT(result_.notes[0], HasSubstr("t.csv, line 2: 'x')"));
}

TEST_F(CaptionImportTest, AColumnOfNamesBecomesANumberForEach) {
  Table("kind,n,text\nb,1,x\na,3,y\nb,5,z\n");
  options_.features = {"n", "kind"};
  options_.validation = {Write("v.csv", "text;n;kind\nw;9;a\nw;9;c\n")};
  Import();
  EXPECT_THAT(result_.fields[0].names, ElementsAre("n", "kind=a", "kind=b"));
  EXPECT_THAT(result_.fields[0].means, ElementsAre(3, 0, 0));
  EXPECT_THAT(Vectors(),
              ElementsAre(ElementsAre(1, 0, 1), ElementsAre(3, 1, 0), ElementsAre(5, 0, 1)));
  EXPECT_THAT(Vectors("validation"), ElementsAre(ElementsAre(9, 1, 0), ElementsAre(9, 0, 0)));
  EXPECT_THAT(result_.warnings, ElementsAre(HasSubstr("1 examples of validation and test have a "
                                                      "value in the column 'kind'")));
}

// One cell in the way of a column of numbers.
TEST_F(CaptionImportTest, AColumnOfAlmostOnlyNumbersIsWarnedOf) {
  std::string table = "n,m,text\n";
  for (int i = 0; i < 20; ++i) table += std::to_string(i) + ",1,x\n";
  Table(table + "1e400,1,x\n");
  Import();
  EXPECT_THAT(result_.fields[0].names, ElementsAre("m"));
  EXPECT_THAT(result_.warnings,
              ElementsAre(HasSubstr("'n' is not taken for one of numbers because of 1 cells")));
  EXPECT_THAT(result_.warnings[0], HasSubstr("t.csv, line 22: '1e400'), where 20 are numbers"));
}

TEST_F(CaptionImportTest, WhatIsWrongIsSaid) {
  Table("n,text\n1,x\n,y\n");
  EXPECT_THAT(Error(), HasSubstr("t.csv, line 3: found no number in the column 'n'"));
  Table("n,text\nq,x\n");
  EXPECT_THAT(Error(), HasSubstr("no column beside the text holds numbers alone"));
  options_.features = {"m"};
  EXPECT_THAT(Error(), HasSubstr("found no column 'm', expected one of 'n', 'text'"));
  options_.features = {"n"};
  std::string many = "n,text\n";
  for (size_t i = 0; i <= CaptionColumns::kMostValues; ++i) {
    many.append("v").append(std::to_string(i)).append(",x\n");
  }
  Table(many);
  EXPECT_THAT(Error(), HasSubstr("more than 1000 different values and is none of numbers ("));
  options_.text_column = "";
  EXPECT_THAT(Error(), HasSubstr("--text"));
}

/// A file of another program's.
class ForeignFile {
 public:
  explicit ForeignFile(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~ForeignFile() { H5Fclose(file_); }

  void Put(const char* name, hid_t type, const std::vector<hsize_t>& shape, const void* values) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t array = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(array);
    H5Sclose(space);
  }
  void PutStrings(const char* name, const std::vector<const char*>& strings) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    Put(name, type, {strings.size()}, strings.data());
    H5Tclose(type);
  }
  void PutFixed(const char* name, const std::string& bytes, size_t width) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    Put(name, type, {bytes.size() / width}, bytes.data());
    H5Tclose(type);
  }

 private:
  hid_t file_;
};

TEST_F(CaptionImportTest, ArraysOfHdf5) {
  options_.text_column = "";
  const std::string path = (folder_ / "t.h5").string();
  options_.train = {path};
  const float numbers[] = {1, 2, 3, 4, 5, 6};
  {
    ForeignFile file(path);
    file.Put("features", H5T_NATIVE_FLOAT, {3, 2}, numbers);
    file.PutStrings("texts", {"one two", "three", "\xc3\xa9\nfour"});
    file.PutFixed("fixed", std::string("one\0\0two\0\0seven", 15), 5);
  }
  EXPECT_THAT(Error(), HasSubstr("no array is named, expected --text-array with one of its 2 "
                                 "arrays of strings in one dimension: fixed, texts"));
  options_.text_array = "texts";
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("one two", "three", "\xc3\xa9 four"));
  EXPECT_THAT(Vectors(), ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4), ElementsAre(5, 6)));
  EXPECT_THAT(result_.fields[0].names, ElementsAre("0", "1"));
  EXPECT_THAT(result_.fields[0].means, ElementsAre(3, 4));
  options_.text_array = "fixed";
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("one", "two", "seven"));
  options_.features_array = "none";
  EXPECT_THAT(Error(), HasSubstr("found no such array 'none', expected --features-array"));
  options_.features_array = "";
  options_.features = {"0"};
  EXPECT_THAT(Error(), HasSubstr("--features-array"));
  options_.features = {};
  const float infinite[] = {1, 2, INFINITY};
  {
    ForeignFile file(path);
    file.Put("features", H5T_NATIVE_FLOAT, {3}, infinite);
    file.PutFixed("fixed", "abcdef", 2);
    file.PutFixed("wrong", "\xff\xff\xff", 1);
  }
  EXPECT_THAT(Error(), HasSubstr("found inf in row 2, column 0 of features"));
  options_.text_array = "wrong";
  EXPECT_THAT(Error(), HasSubstr("row 0 of wrong"));
  {
    ForeignFile file(path);
    file.Put("features", H5T_NATIVE_FLOAT, {3}, numbers);
    file.PutFixed("fixed", "abcd", 2);
  }
  options_.text_array = "";
  EXPECT_THAT(Error(), HasSubstr("found 2 texts in fixed, expected 3"));
}

}  // namespace
}  // namespace lockstep::io
