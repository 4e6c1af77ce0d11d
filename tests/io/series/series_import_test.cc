#include "io/series/series_import.h"

#include <algorithm>
#include <functional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include "io/errors.h"
#include "io/hdf5/h5_writer.h"
#include "io/series/table_inspection.h"
#include "io/series/time_text.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;

class SeriesImportTest : public testing::Test {
 protected:
  SeriesImportTest() {
    options_.output = folder_ / "out.h5";
    options_.split_shares = {1};
  }

  SeriesImportResult Import(const std::string& text) {
    options_.paths = {folder_.Write("a.csv", text)};
    return ImportSeries(options_);
  }

  // The values of all rows, imported.
  std::vector<float> Values(const std::string& text) {
    Import(text);
    return ValuesOf(options_.output);
  }

  static std::vector<float> ValuesOf(const std::filesystem::path& path) {
    const SeriesDataset dataset = SeriesDataset::Open(path);
    std::vector<float> values(dataset.row_count() * dataset.description().row_width());
    dataset.ReadRows(0, values);
    return values;
  }

  std::string ErrorOf(const std::string& text) {
    try {
      Import(text);
    } catch (const InputError& error) {
      EXPECT_THAT(folder_.Names(), ElementsAre("a.csv"));
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  SeriesImportOptions options_;
};

TEST_F(SeriesImportTest, AWideTable) {
  options_.split_rows = {2, 1, 1};
  options_.split_shares = {};
  const SeriesImportResult result = Import(
      "date,load,wind\n2016-07-01 00:00:00,1,10\n2016-07-01 01:00:00,3,10\n"
      "2016-07-01 02:00:00,100,-5\n2016-07-01 03:00:00,1e3,0.5\n2016-07-01 04:00:00,7,8\n");
  EXPECT_EQ(result.series, 1u);
  EXPECT_EQ(result.channels, 2u);
  EXPECT_EQ(result.rows, 5u);
  EXPECT_EQ(result.train_rows, 2u);
  EXPECT_EQ(result.left_out_rows, 1u);
  EXPECT_EQ(result.frequency, (Frequency{3600, 0}));
  const SeriesDataset dataset = SeriesDataset::Open(options_.output);
  EXPECT_EQ(dataset.fingerprint(), result.fingerprint);
  EXPECT_THAT(dataset.description().channels, ElementsAre("load", "wind"));
  EXPECT_EQ(dataset.description().time, "date");
  EXPECT_EQ(dataset.series(0).id, "");
  EXPECT_EQ(dataset.series(0).start, *ParseTime("2016-07-01"));
  EXPECT_EQ(dataset.series(0).train_end, 2u);
  EXPECT_EQ(dataset.series(0).test_end, 4u);
  EXPECT_THAT(dataset.means(0), ElementsAre(2, 10));
  EXPECT_THAT(dataset.deviations(0), ElementsAre(1, 1));
  EXPECT_THAT(ValuesOf(options_.output), ElementsAre(1, 10, 3, 10, 100, -5, 1000, 0.5, 7, 8));
  EXPECT_EQ(dataset.ReadSources(9).first[0].size, 5u);
}

TEST_F(SeriesImportTest, ColumnsMayBeChosenAndRowsOnlyNumbered) {
  options_.values = {"c", "a"};
  options_.time = "";
  EXPECT_THAT(Values("date,a,b,c\n2020-01-01,1,x,3\n2020-01-01,4,y,6\n"), ElementsAre(3, 1, 6, 4));
  const SeriesDataset dataset = SeriesDataset::Open(options_.output);
  EXPECT_TRUE(dataset.description().frequency.none());
  EXPECT_EQ(dataset.series(0).start, 0);
}

TEST_F(SeriesImportTest, FormsOfTheSameTableGiveTheSameDataset) {
  const std::string table = "ds,a,b\n2020-01-01,1.5,2\n2020-01-02,-3.25,4\n2020-01-03,5,6\n";
  const std::string fingerprint = Import(table).fingerprint;
  EXPECT_EQ(Import("\xef\xbb\xbf\"ds\"\t a \tb\r\n\"2020-01-01\"\t1.5\t\"2\"\r\n"
                   "2020-01-02T00:00Z\t-3.25\t4\r\n\r\n2020/01/03\t 5\t6 ")
                .fingerprint,
            fingerprint);
  EXPECT_EQ(Import("ds,a,b\n1577836800,1.5,2\n1577923200,-3.25,4\n1578009600,5,6\n").fingerprint,
            fingerprint);
  options_.decimal_comma = true;
  EXPECT_EQ(Import("ds;a;b\n2020-01-01;1,5;2\n2020-01-02;-3,25;4\n2020-01-03;5,0;6\n").fingerprint,
            fingerprint);
  options_.decimal_comma = false;
  // Packed, in two members.
  const std::filesystem::path packed = folder_ / "a.csv.gz";
  for (const std::string& part : {table.substr(0, 20), table.substr(20)}) {
    gzFile file = gzopen(packed.c_str(), "ab");
    gzwrite(file, part.data(), static_cast<unsigned>(part.size()));
    gzclose(file);
  }
  options_.paths = {packed};
  EXPECT_EQ(ImportSeries(options_).fingerprint, fingerprint);
  PutBytes(packed, Bytes(packed).substr(0, 40));
  EXPECT_THROW(ImportSeries(options_), InputError);
  // In two files.
  options_.paths = {folder_.Write("1.csv", table.substr(0, table.find("2020-01-02"))),
                    folder_.Write("2.csv", "ds,a,b\n" + table.substr(table.find("2020-01-02")))};
  options_.frequency = "1d";
  EXPECT_EQ(ImportSeries(options_).fingerprint, fingerprint);
}

// Rows of many series in every order: the series are the same.
TEST_F(SeriesImportTest, LongTablesInAnyOrderOfTheSeries) {
  constexpr int kSeries = 50;
  const auto length = [](int series) { return 20 + series * 7 % 60; };
  const auto row = [&](int series, int step) {
    std::ostringstream line;
    line << "s" << series << ",2020-01-01 " << (step < 600 ? "0" : "") << step / 60 << ":"
         << (step % 60 < 10 ? "0" : "") << step % 60 << ":00," << series * 1000 + step << "\n";
    return line.str();
  };
  std::string sorted = "unique_id,ds,y\n", mixed = sorted;
  std::vector<float> meant;
  for (int series = 0; series < kSeries; ++series) {
    for (int step = 0; step < length(series); ++step) {
      sorted += row(series, step);
      meant.push_back(static_cast<float>(series * 1000 + step));
    }
  }
  for (int step = 0; step < 80; ++step) {
    for (int i = 0; i < kSeries; ++i) {
      // The first round in order, so that the series have the same numbers.
      const int series = step == 0 ? i : i * 7 % kSeries;
      if (step < length(series)) mixed += row(series, step);
    }
  }
  options_.series = "unique_id";
  options_.split_shares = {70, 10, 20};
  EXPECT_EQ(Values(sorted), meant);
  const std::string fingerprint = SeriesDataset::Open(options_.output).fingerprint();
  for (const uint64_t memory_bytes : {uint64_t{1} << 20, uint64_t{1000}, uint64_t{0}}) {
    options_.memory_bytes = memory_bytes;
    EXPECT_EQ(Import(sorted).fingerprint, fingerprint);
    EXPECT_EQ(Import(mixed).fingerprint, fingerprint);
  }
  const SeriesDataset dataset = SeriesDataset::Open(options_.output);
  ASSERT_EQ(dataset.series_count(), uint64_t{kSeries});
  for (int series = 0; series < kSeries; ++series) {
    const Series& each = dataset.series(static_cast<uint64_t>(series));
    const auto rows = static_cast<uint64_t>(length(series));
    EXPECT_EQ(each.id, std::string("s").append(std::to_string(series)));
    EXPECT_EQ(each.rows, rows);
    EXPECT_EQ(each.train_end, rows * 7 / 10);
    EXPECT_EQ(each.validation_end, rows * 8 / 10);
    EXPECT_EQ(each.test_end, rows);
    EXPECT_DOUBLE_EQ(dataset.means(static_cast<uint64_t>(series))[0],
                     series * 1000 + (static_cast<double>(each.train_end) - 1) / 2);
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("a.csv", "out.h5"));
}

TEST_F(SeriesImportTest, MissingCellsAndRows) {
  // Days 3 and 4 are missing; b lacks its first and its last value.
  const std::string table =
      "date,a,b\n2020-01-01,1,\n2020-01-02,2,nan\n2020-01-05,5,8\n2020-01-06,,\n2020-01-07,9,NA\n";
  options_.missing = MissingMode::kForward;
  EXPECT_THAT(Values(table), ElementsAre(1, 8, 2, 8, 2, 8, 2, 8, 5, 8, 5, 8, 9, 8));
  options_.missing = MissingMode::kInterpolate;
  EXPECT_THAT(Values(table), ElementsAre(1, 8, 2, 8, 3, 8, 4, 8, 5, 8, 7, 8, 9, 8));
  options_.missing = MissingMode::kMask;
  EXPECT_THAT(Values(table), ElementsAre(1, IsNan(), 2, IsNan(), IsNan(), IsNan(), IsNan(), IsNan(),
                                         5, 8, IsNan(), IsNan(), 9, IsNan()));
  const SeriesImportResult result = Import(table);
  EXPECT_EQ(result.rows, 7u);
  EXPECT_EQ(result.filled_rows, 2u);
  EXPECT_EQ(result.missing_values, 9u);
  EXPECT_DOUBLE_EQ(SeriesDataset::Open(options_.output).means(0)[0], 17.0 / 4);
}

// Gaps that are longer than what is read at once.
TEST_F(SeriesImportTest, LongGaps) {
  constexpr int kRows = 200'000;
  std::string table = "date,a,b\n";
  for (int i = 0; i < kRows; ++i) {
    table += std::to_string(i) + "," + (i % 150'000 == 1000 ? std::to_string(i) : "") + "," +
             std::to_string(i) + "\n";
  }
  options_.memory_bytes = 100'000;
  options_.missing = MissingMode::kInterpolate;
  std::vector<float> values = Values(table);
  for (int i = 0; i < kRows; ++i) {
    ASSERT_EQ(values[2 * static_cast<size_t>(i)], std::clamp(i, 1000, 151'000)) << i;
  }
  options_.missing = MissingMode::kForward;
  values = Values(table);
  for (int i = 0; i < kRows; ++i) {
    ASSERT_EQ(values[2 * static_cast<size_t>(i)], i < 151'000 ? 1000 : 151'000) << i;
  }
}

TEST_F(SeriesImportTest, CovariatesAndFutureRows) {
  options_.series = "id";
  options_.known = {"price", "day"};
  options_.statics = {"place", "height"};
  options_.scale = false;
  const std::string table =
      "id,ds,y,day,price,place,height\n"
      "a,2020-01-31,1,we,10,at,5.5\na,2020-02-29,2,mo,11,at,5.5\nb,2020-02-01,7,mo,20,de,1\n"
      "a,2020-03-31,,we,12,at,5.5\na,2020-04-30,,tu,13,at,5.5\nb,2020-03-01,8,tu,21,de,1\n";
  EXPECT_THAT(Values(table),
              ElementsAre(1, 10, 0, 2, 11, 1, IsNan(), 12, 0, IsNan(), 13, 2, 7, 20, 1, 8, 21, 2));
  const SeriesDataset dataset = SeriesDataset::Open(options_.output);
  EXPECT_EQ(dataset.description().frequency, (Frequency{0, 1}));
  EXPECT_EQ(dataset.description().known[0].name, "price");
  EXPECT_THAT(dataset.description().known[1].categories, ElementsAre("we", "mo", "tu"));
  EXPECT_EQ(dataset.series(0).rows, 2u);
  EXPECT_EQ(dataset.series(0).future_rows, 2u);
  EXPECT_EQ(dataset.series(1).first_row, 4u);
  EXPECT_EQ(dataset.series(1).future_rows, 0u);
  EXPECT_THAT(dataset.statics(0), ElementsAre(0, 5.5));
  EXPECT_THAT(dataset.statics(1), ElementsAre(1, 1));
  // A covariate that is missing is filled in every mode but error.
  options_.missing = MissingMode::kMask;
  options_.statics = {};
  options_.frequency = "1s";
  EXPECT_THAT(Values("id,ds,y,day,price\na,0,1,,\na,2,,x,1\na,3,4,,4\na,5,6,y,6\n"),
              ElementsAre(1, 1, 0, IsNan(), 1, 0, IsNan(), 1, 0, 4, 4, 0, IsNan(), 4, 0, 6, 6, 1));
}

TEST_F(SeriesImportTest, NewTablesAreReadLikeThoseOfTheTraining) {
  options_.known = {"day", "price"};
  Import("date,y,day,price\n2020-01-01,1,we,1\n2020-01-02,2,th,2\n2020-01-03,3,fr,3\n");
  options_.known = {};
  options_.like = SeriesDataset::Open(options_.output).description();
  // Other columns, another order, and one row, which shows no frequency.
  EXPECT_THAT(Values("note,price,day,y,date\nx,7,fr,8,2020-02-01\n"), ElementsAre(8, 2, 7));
  const SeriesDescription description = SeriesDataset::Open(options_.output).description();
  EXPECT_EQ(description.frequency, (Frequency{86400, 0}));
  EXPECT_THAT(description.known[0].categories, ElementsAre("we", "th", "fr"));
  EXPECT_THAT([&] { Import("price,day,y,date\n7,sa,8,2020-02-01\n"); },
              testing::ThrowsMessage<InputError>(
                  AllOf(HasSubstr("line 2, column 2 (day)"), HasSubstr("found 'sa'"))));
  EXPECT_THAT([&] { Import("price,y,date\n7,8,2020-02-01\n"); },
              testing::ThrowsMessage<InputError>(HasSubstr("found no column 'day'")));
}

// As numpy.save writes it.
std::string Npy(const std::string& type, const std::string& shape, const std::string& bytes,
                bool fortran_order = false) {
  std::string header = "{'descr': '" + type +
                       "', 'fortran_order': " + (fortran_order ? "True" : "False") +
                       ", 'shape': (" + shape + "), }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         bytes;
}

template <typename Element>
std::string BytesOf(const std::vector<Element>& elements) {
  return {reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(Element)};
}

TEST_F(SeriesImportTest, ArraysOfNumpy) {
  const auto values = [&](const std::string& file) {
    options_.paths = {folder_.Write("a.npy", file)};
    ImportSeries(options_);
    return ValuesOf(options_.output);
  };
  const std::vector<double> numbers = {1, 2.5, 3, 4, -5, 6};
  EXPECT_THAT(values(Npy("<f8", "3, 2", BytesOf(numbers))), ElementsAre(1, 2.5, 3, 4, -5, 6));
  EXPECT_THAT(values(Npy("<f8", "3, 2", BytesOf(numbers), true)), ElementsAre(1, 4, 2.5, -5, 3, 6));
  EXPECT_THAT(values(Npy("<f4", "2,", BytesOf<float>({1, 2.5}))), ElementsAre(1, 2.5));
  EXPECT_THAT(values(Npy("<i2", "2,", BytesOf<int16_t>({-300, 7}))), ElementsAre(-300, 7));
  EXPECT_THAT(values(Npy("|u1", "2, 1", BytesOf<uint8_t>({255, 7}))), ElementsAre(255, 7));
  options_.values = {"1"};
  EXPECT_THAT(values(Npy("<f8", "3, 2", BytesOf(numbers))), ElementsAre(2.5, 4, 6));
  EXPECT_THAT(SeriesDataset::Open(options_.output).description().channels, ElementsAre("1"));
  EXPECT_EQ(SeriesDataset::Open(options_.output).series(0).start, 0);
  options_.values = {};
  options_.missing = MissingMode::kForward;
  EXPECT_THAT(values(Npy("<f4", "3,", BytesOf<float>({1, NAN, 3}))), ElementsAre(1, 1, 3));
  options_.missing = MissingMode::kError;
  const auto error = [&](const std::string& file) {
    try {
      values(file);
    } catch (const InputError& wrong) {
      return std::string(wrong.what());
    }
    return std::string();
  };
  EXPECT_THAT(error(Npy("<f4", "3,", BytesOf<float>({1, NAN, 3}))), HasSubstr("row 1, column 0"));
  EXPECT_THAT(error(Npy("<f8", "2,", BytesOf<double>({1, 1e300}))), HasSubstr("row 1, column 0"));
  EXPECT_THAT(error(Npy("<f8", "4, 2", BytesOf(numbers))), HasSubstr("cut short"));
  EXPECT_THAT(error(Npy(">f8", "3, 2", BytesOf(numbers))), HasSubstr("'>f8'"));
  EXPECT_THAT(error(Npy("<f8", "3, 2, 1", BytesOf(numbers))), HasSubstr("(3, 2, 1)"));
  EXPECT_THAT(error(Npy("<f8", "999999999999999, 999999999999999", "")), HasSubstr("cut short"));
  EXPECT_THAT(error("\x93NUMPY"), HasSubstr("expected"));
  options_.series = "id";
  EXPECT_THAT(error(Npy("<f8", "3, 2", BytesOf(numbers))), HasSubstr("--series"));
}

TEST_F(SeriesImportTest, ArraysOfHdf5) {
  const std::filesystem::path path = folder_ / "a.h5";
  const std::vector<double> numbers = {1, 2.5, 3, 4, -5, 6};
  const std::vector<uint64_t> counts = {7, 8};
  H5Writer writer(path, path);
  writer.WriteArray("/group/values", ElementType::kFloat64, {3, 2}, numbers.data());
  writer.WriteArray("/counts", std::span<const uint64_t>(counts));
  writer.CloseAndCompare();
  options_.paths = {path};
  EXPECT_THAT([&] { ImportSeries(options_); },
              testing::ThrowsMessage<InputError>(
                  AllOf(HasSubstr("--array"), HasSubstr("counts, group/values"))));
  EXPECT_THROW(InspectTable(options_), InputError);
  options_.array = "/group/values";
  ImportSeries(options_);
  EXPECT_THAT(ValuesOf(options_.output), ElementsAre(1, 2.5, 3, 4, -5, 6));
  options_.array = "counts";
  ImportSeries(options_);
  EXPECT_THAT(ValuesOf(options_.output), ElementsAre(7, 8));
  options_.array = "group";
  EXPECT_THROW(ImportSeries(options_), InputError);
  options_.array = "counts";
  options_.paths = {path, folder_.Write("a.csv", "a\n1\n")};
  EXPECT_THAT([&] { ImportSeries(options_); },
              testing::ThrowsMessage<InputError>(HasSubstr("a.csv is a table")));
}

TEST_F(SeriesImportTest, SplitsByTime) {
  options_.split_shares = {};
  options_.split_times = {"2020-02-15", "2020-04-01"};
  Import("date,a\n2020-01-01,1\n2020-02-01,2\n2020-03-01,3\n2020-04-01,4\n2020-05-01,5\n");
  const Series series = SeriesDataset::Open(options_.output).series(0);
  EXPECT_EQ(series.train_end, 2u);
  EXPECT_EQ(series.validation_end, 3u);
  EXPECT_EQ(series.test_end, 5u);
}

struct Wrong {
  const char* name;
  const char* table;
  std::vector<const char*> words;  // that the message has
  std::function<void(SeriesImportOptions&)> change = [](auto& options) {};
};

const std::vector<Wrong>& WrongTables() {
  static const std::vector<Wrong> cases = {
      {"RaggedRow", "date,a\n0,1\n1\n", {"a.csv, line 3, column 2", "found 1 cells", "expected 2"}},
      {"TooManyCells", "a,b\n0,1\n1,2,3\n", {"line 3, column 3", "found 3 cells"}},
      {"Text",
       "date,a\n0,1\n1,abc\n",
       {"line 3, column 2 (a)", "found 'abc'", "expected a number"}},
      {"TextBehindALineBreak", "date,b,a\n0,\"1\",1\n\n1,2,\"x\n\"\n", {"line 4, column 3 (a)"}},
      {"EmptyCell",
       "date,a\n0,1\n1,\n2,3\n",
       {"line 3, column 2 (a)", "found nothing", "--missing"}},
      {"NotANumber", "date,a\n0,1\n1,2\n2,NaN\n", {"line 4, column 2 (a)", "found 'NaN'"}},
      {"TwiceTheTime",
       "date,a\n0,1\n1,2\n1,3\n",
       {"line 4, column 1 (date)", "found '1'", "behind"}},
      {"Backwards", "date,a\n0,1\n1,2\n2,3\n1,3\n", {"line 5, column 1 (date)", "found '1'"}},
      {"TwiceMonthly", "date,a\n2020-01,1\n2020-02,2\n2020-02,3\n", {"line 4, column 1 (date)"}},
      {"Gap",
       "date,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,2\n2020-01-05,2\n",
       {"line 5, column 1 (date)", "found '2020-01-05'", "expected 2020-01-04 00:00:00",
        "--missing"}},
      {"Irregular",
       "date,a\n0,1\n60,2\n120,3\n150,4\n",
       {"line 5, column 1 (date)", "found '150'", "one step of 1min", "--frequency"},
       [](auto& options) { options.missing = MissingMode::kForward; }},
      {"AGapOfAges",
       "date,a\n0,1\n1,2\n99999999,3\n",
       {"line 4", "found '99999999'"},
       [](auto& options) { options.missing = MissingMode::kForward; }},
      {"NoTime",
       "date,a\n0,1\n1,2\nyesterday,3\n",
       {"line 4, column 1 (date)", "found 'yesterday'"}},
      {"UnknownColumn",
       "date,a\n0,1\n1,2\n",
       {"a.csv, line 1", "found no column 'b'", "'date', 'a'"},
       [](auto& options) { options.values = {"b"}; }},
      {"TwoRoles",
       "date,a,b\n0,1,1\n1,2,1\n",
       {"column 2", "'a' is to be known and value"},
       [](auto& options) { options.values = options.known = {"a"}; }},
      {"NoValues",
       "date,a\n0,1\n1,2\n",
       {"found no column of values"},
       [](auto& options) { options.known = {"a"}; }},
      {"NoNames", "1,2\n3,4\n", {"line 1, column 1", "found '1'", "the name of a column"}},
      {"ANameTwice", "date,a,a\n0,1,1\n", {"line 1, column 3", "found 'a'", "column 2"}},
      {"Empty", "", {"a.csv is empty"}},
      {"NoRows", "date,a\n", {"a.csv has no rows"}, [](auto& options) { options.time = ""; }},
      {"NoFrequency", "date,a\n0,1\n", {"a.csv", "--frequency"}},
      {"NotAFrequency",
       "date,a\n0,1\n",
       {"'1m'", "15min"},
       [](auto& options) { options.frequency = "1m"; }},
      {"AFrequencyOfNothing",
       "a\n1\n",
       {"no time column"},
       [](auto& options) { options.frequency = "1h"; }},
      {"ASplitWithoutRows",
       "date,a\n0,1\n1,2\n2,3\n",
       {"no rows for validation"},
       [](auto& options) {
         options.split_shares = {70, 10, 20};
       }},
      {"FewerRowsThanTheSplit",
       "date,a\n0,1\n1,2\n",
       {"has 2 rows", "at least 3"},
       [](auto& options) {
         options.split_shares = {};
         options.split_rows = {1, 1, 1};
       }},
      {"NothingToLearnFrom",
       "id,ds,a\nx,0,1\nx,1,1\ny,3,1\ny,4,1\n",
       {"series 'y'", "no training rows"},
       [](auto& options) {
         options.series = "id";
         options.split_shares = {};
         options.split_times = {"2"};
       }},
      {"TwoSplits",
       "date,a\n0,1\n1,2\n",
       {"splits are named twice"},
       [](auto& options) { options.split_rows = {1}; }},
      {"ASplitTimeWithoutTime",
       "a\n0\n1\n",
       {"no time column"},
       [](auto& options) {
         options.split_shares = {};
         options.split_times = {"2020-01-01"};
       }},
      {"ANumericCovariateWithText",
       "date,a,p\n0,1,1\n1,2,\n",
       {"line 3, column 3 (p)", "found nothing"},
       [](auto& options) { options.known = {"p"}; }},
      {"AStaticThatChanges",
       "id,ds,a,p\nx,0,1,u\nx,1,2,v\n",
       {"line 3, column 4 (p)", "found 'v'", "series 'x'"},
       [](auto& options) {
         options.series = "id";
         options.statics = {"p"};
       }},
      {"NoNameOfASeries",
       "id,ds,a\nx,0,1\n,1,2\n",
       {"line 3, column 1 (id)", "found nothing"},
       [](auto& options) { options.series = "id"; }},
      {"AHoleThatIsNoFuture",
       "date,a,p\n0,1,1\n1,,2\n2,3,4\n",
       {"line 3, column 2 (a)", "found nothing"},
       [](auto& options) { options.known = {"p"}; }},
      {"NoValueAtAll",
       "date,a,b\n0,1,\n1,2,\n",
       {"no value in column 'b'", "mask"},
       [](auto& options) { options.missing = MissingMode::kForward; }},
      {"OnlyFuture",
       "date,a,p\n0,,1\n1,,2\n",
       {"has no value"},
       [](auto& options) { options.known = {"p"}; }},
      {"AQuote", "date,a\n0,1\n1,\"2\n2,3\n", {"line 3, column 2", "a quote that is not closed"}},
  };
  return cases;
}

TEST_F(SeriesImportTest, WrongTablesAreInputErrorsThatSayWhere) {
  const SeriesImportOptions right = options_;
  for (const Wrong& wrong : WrongTables()) {
    options_ = right;
    wrong.change(options_);
    const std::string error = ErrorOf(wrong.table);
    for (const char* words : wrong.words) EXPECT_THAT(error, HasSubstr(words)) << wrong.name;
    // An inspection meets the same first problem, where it is one of the table's rows.
    std::string inspected;
    try {
      const nlohmann::ordered_json json = InspectTable(options_);
      if (json["first_problem"].is_string()) inspected = json["first_problem"];
    } catch (const InputError& same) {
      inspected = same.what();
    }
    // Of what no row shows an inspection says nothing.
    if (!inspected.empty() || error.find(", line") != error.npos) {
      EXPECT_EQ(inspected, error) << wrong.name;
    }
  }
}

TEST_F(SeriesImportTest, FilesWithOtherColumnsAreRefused) {
  options_.paths = {folder_.Write("1.csv", "date,a\n0,1\n1,2\n"),
                    folder_.Write("2.csv", "date,b\n2,3\n")};
  EXPECT_THAT([&] { ImportSeries(options_); },
              testing::ThrowsMessage<InputError>(AllOf(HasSubstr("2.csv, line 1, column 2"),
                                                       HasSubstr("found 'b', expected 'a'"))));
}

TEST_F(SeriesImportTest, AnImportTakesThePlaceOfADatasetOnly) {
  folder_.Write("out.h5", "what I know");
  EXPECT_THAT([&] { Import("a\n1\n"); }, testing::ThrowsMessage<InputError>(HasSubstr("--output")));
  EXPECT_EQ(Bytes(options_.output), "what I know");
  folder_.Write("out.h5", "");
  Import("a\n1\n");
  Import("a\n2\n");
  EXPECT_THAT(ValuesOf(options_.output), ElementsAre(2));
  options_.paths = {options_.output};
  EXPECT_THROW(ImportSeries(options_), InputError);
}

TEST_F(SeriesImportTest, ProgressIsTold) {
  std::vector<SeriesImportProgress> told;
  options_.paths = {folder_.Write("a.csv", "a\n1\n2\n")};
  ImportSeries(options_, [&](const SeriesImportProgress& progress) { told.push_back(progress); });
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].pass, 1);
  EXPECT_EQ(told[0].bytes_done, 6u);
  EXPECT_EQ(told[0].bytes_total, 6u);
  EXPECT_EQ(told[1].pass, 2);
  EXPECT_EQ(told[1].rows, 2u);
}

TEST_F(SeriesImportTest, AnInspectionCounts) {
  options_.paths = {folder_.Write("a.csv",
                                  "id;ds;y;p;kind\n"
                                  "x;2020-01-01;1;1;u\nx;2020-01-02;2;1;u\nx;2020-01-03;2;1;u\n"
                                  "y;2020-01-02;;1;v\ny;2020-01-05;2;1;v\ny;2020-01-05;2;1;v\n"
                                  "y;2020-01-06\ny;2020-01-06;2;1;v\ny;2020-01-06 05:00;2;1;v\n")};
  options_.series = "id";
  options_.known = {"kind"};
  const nlohmann::ordered_json json = InspectTable(options_);
  EXPECT_EQ(json["format"], "csv");
  EXPECT_EQ(json["delimiter"], ";");
  EXPECT_EQ(json["columns"][1], nlohmann::ordered_json({{"name", "ds"}, {"role", "time"}}));
  EXPECT_EQ(json["columns"][3]["role"], "value");
  EXPECT_EQ(json["columns"][4]["categorical"], true);
  EXPECT_EQ(json["frequency"], "1d");
  EXPECT_EQ(json["first_time"], "2020-01-01 00:00:00");
  EXPECT_EQ(json["last_time"], "2020-01-06 05:00:00");
  EXPECT_EQ(json["rows"], 8);
  EXPECT_EQ(json["series"], 2);
  EXPECT_EQ(json["series_rows"], nlohmann::ordered_json({{"min", 3}, {"median", 5}, {"max", 5}}));
  EXPECT_EQ(json["missing_values"], 1);
  EXPECT_EQ(json["gaps"], 1);
  EXPECT_EQ(json["missing_rows"], 2);
  EXPECT_EQ(json["duplicates"], 1);
  EXPECT_EQ(json["irregular"], 1);
  EXPECT_EQ(json["bad_rows"], 1);
  EXPECT_THAT(json["first_problem"].get<std::string>(), HasSubstr("line 5, column 3 (y)"));
  EXPECT_NO_THROW(json.dump());
}

TEST_F(SeriesImportTest, AnInspectionEndsWhereTheImportDoes) {
  options_.paths = {folder_.Write("a.csv", "a,b\n")};
  const nlohmann::ordered_json json = InspectTable(options_);
  ASSERT_TRUE(json["first_problem"].is_string()) << json;
  EXPECT_THAT(json["first_problem"].get<std::string>(), HasSubstr("a.csv has no rows"));
  try {
    ImportSeries(options_);
    FAIL() << "no rows";
  } catch (const InputError& error) {
    EXPECT_EQ(json["first_problem"], error.what());
  }
  EXPECT_TRUE(LooksLikeTable(folder_.Write("empty.csv", "")));
  EXPECT_FALSE(LooksLikeTable(folder_.Write("empty.h5", "")));
}

// Names go into checkpoints and JSON as they are.
TEST_F(SeriesImportTest, NamesAreUtf8) {
  const std::pair<const char*, const char*> cases[] = {
      {"id;y\na;1\n\xfc;2\n", "line 3, column 1 (id): found '\\xfc', expected text in UTF-8"},
      {"id;y;\xfc\na;1;2\n", "line 1, column 3: found '\\xfc', expected text in UTF-8"}};
  for (const auto& [table, message] : cases) {
    options_.paths = {folder_.Write("a.csv", table)};
    options_.series = "id";
    try {
      ImportSeries(options_);
      FAIL() << table;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

}  // namespace
}  // namespace lockstep::io
