#include "io/text/text_normalizer.h"

#include <random>
#include <utility>

#include <gmock/gmock.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::u16string Normalize(const std::string& normalization, bool lowercase, std::u16string_view text,
                         size_t part_units = 1000, size_t most_units = 4096) {
  std::u16string result;
  TextNormalizer normalizer(
      normalization, lowercase, [&](std::u16string_view part) { result += part; }, most_units);
  for (size_t at = 0; at < text.size(); at += part_units) {
    normalizer.Feed(text.substr(at, part_units));
  }
  normalizer.Finish();
  return result;
}

TEST(TextNormalizerTest, AppliesEachForm) {
  const std::u16string text =
      u"e\u0301 \u00E9 \uFB01 \uFF21";  // e + acute, é, fi ligature, full-width A
  EXPECT_EQ(Normalize("none", false, text), text);
  EXPECT_EQ(Normalize("nfc", false, text), u"\u00E9 \u00E9 \uFB01 \uFF21");
  EXPECT_EQ(Normalize("nfd", false, text), u"e\u0301 e\u0301 \uFB01 \uFF21");
  EXPECT_EQ(Normalize("nfkc", false, text), u"\u00E9 \u00E9 fi A");
  EXPECT_EQ(Normalize("nfkd", false, text), u"e\u0301 e\u0301 fi A");
}

TEST(TextNormalizerTest, LowersWithTheRootLocale) {
  EXPECT_EQ(Normalize("none", true, u"ÀI \u0130 ΟΔΟΣ ΣΟΦΟΣ."), u"ài i\u0307 οδος σοφος.");
}

TEST(TextNormalizerTest, LowerCaseIsNormalised) {
  // Mathematical bold A has no lower case of its own; J with a caron composes only when it is
  // small.
  EXPECT_EQ(Normalize("nfkc", true, u"\U0001D400"), u"a");
  EXPECT_EQ(Normalize("nfc", true, u"J\u030C"), u"\u01F0");
}

TEST(TextNormalizerTest, UnknownFormsAreNamed) {
  EXPECT_THAT([] { Normalize("nfx", false, u""); },
              ThrowsMessage<InputError>(HasSubstr("\"nfx\"")));
}

// Long enough for many pieces: the same as ICU makes of the whole, however it is fed.
TEST(TextNormalizerTest, PiecesChangeNothing) {
  const std::u16string_view alphabet[] = {
      u"e",      u"\u0301",     u"\u0327", u"J",      u"\u030C", u"\u1100",
      u"\u1161", u"\u11A8",     u"Σ",      u"Α",      u" ",      u"\u00AD",
      u"'",      u"\U0001D400", u"\u338F", u"\uFB01", u"\n",     u"\U0001F600"};
  std::mt19937 random(3);
  std::u16string text;
  while (text.size() < 50000) text += alphabet[random() % std::size(alphabet)];

  const icu::UnicodeString original(text.data(), static_cast<int32_t>(text.size()));
  UErrorCode status = U_ZERO_ERROR;
  const std::pair<std::string, const icu::Normalizer2*> forms[] = {
      {"nfc", icu::Normalizer2::getNFCInstance(status)},
      {"nfd", icu::Normalizer2::getNFDInstance(status)},
      {"nfkc", icu::Normalizer2::getNFKCInstance(status)},
      {"nfkd", icu::Normalizer2::getNFKDInstance(status)}};
  for (const auto& [name, form] : forms) {
    for (const bool lowercase : {false, true}) {
      icu::UnicodeString expected = form->normalize(original, status);
      if (lowercase) {
        expected.toLower(icu::Locale::getRoot());
        expected = form->normalize(expected, status);
      }
      ASSERT_TRUE(U_SUCCESS(status));
      const std::u16string whole(expected.getBuffer(), static_cast<size_t>(expected.length()));
      EXPECT_TRUE(Normalize(name, lowercase, text, 100000, 4096) == whole) << name;
      EXPECT_TRUE(Normalize(name, lowercase, text, 1, 64) == whole) << name;
      EXPECT_TRUE(Normalize(name, lowercase, text, 1000, 64) == whole) << name;
    }
  }
}

TEST(TextNormalizerTest, EndlessMarksAreBoundedAndTheSameForAnyParts) {
  std::u16string text = u"e";
  text.append(20000, u'\u0301');
  const std::u16string whole = Normalize("nfc", true, text, text.size());
  EXPECT_EQ(whole.size(), 20000u);
  EXPECT_EQ(whole[0], u'\u00E9');
  EXPECT_TRUE(Normalize("nfc", true, text, 13) == whole);
}

}  // namespace
}  // namespace lockstep::io
