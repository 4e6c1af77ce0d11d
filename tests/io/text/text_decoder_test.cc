#include "io/text/text_decoder.h"

#include <random>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

using namespace std::string_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Decoded {
  std::u16string text;
  std::optional<InvalidBytes> invalid;
  uint64_t replaced = 0;
};

Decoded Decode(const std::string& encoding, std::string_view bytes, size_t block_bytes,
               bool replace_invalid = false) {
  TextDecoder decoder(encoding, replace_invalid);
  Decoded result;
  do {
    const std::string_view block = bytes.substr(0, block_bytes);
    bytes.remove_prefix(block.size());
    result.invalid = decoder.Decode(block, bytes.empty(), &result.text);
  } while (!bytes.empty() && !result.invalid);
  result.replaced = decoder.replaced();
  return result;
}

// "Aé中😀" in encodings that have it, and what others can hold, written out by hand.
struct Sample {
  const char* encoding;
  std::string bytes;
  std::u16string text;
};

const std::vector<Sample>& Samples() {
  static const std::vector<Sample> samples = {
      {"utf-8", "A\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", u"A\u00E9\u4E2D\U0001F600"},
      {"UTF8", "A\xC3\xA9", u"A\u00E9"},
      {"gbk", "\xD6\xD0\xB9\xFA\x41", u"\u4E2D\u56FDA"},
      {"gb18030", "\xD6\xD0\x81\x30\x86\x30\x94\x39\xFC\x36", u"\u4E2D\u00B8\U0001F600"},
      {"big5", "\xA4\xA4\xB0\xEA", u"\u4E2D\u570B"},
      {"shift_jis", "\x93\xFA\x96\x7B", u"\u65E5\u672C"},
      {"euc-kr", "\xC7\xD1\xB1\xB9", u"\uD55C\uAD6D"},
      {"iso-2022-jp", "A\x1B$B\x46\x7C\x4B\x5C\x1B(BZ", u"A\u65E5\u672CZ"},
      {"latin-1", "na\xEFve\xFF", u"na\u00EFve\u00FF"},
      {"windows-1252", "\x80 5", u"\u20AC 5"},
      {"utf-16", "\xFF\xFE\x41\x00\x2D\x4E\x3D\xD8\x00\xDE"s, u"A\u4E2D\U0001F600"},
      {"utf-16", "\xFE\xFF\x00\x41\x4E\x2D"s, u"A\u4E2D"},
      {"utf-16le", "\x41\x00\x2D\x4E"s, u"A\u4E2D"},
      {"utf-32", "\x00\x00\xFE\xFF\x00\x01\xF6\x00"s, u"\U0001F600"},
      {"utf-8", "", u""},
  };
  return samples;
}

TEST(TextDecoderTest, DecodesEveryEncodingWhateverTheBlocks) {
  for (const Sample& sample : Samples()) {
    for (const size_t block_bytes : {1, 2, 3, 5, 1000}) {
      const Decoded decoded = Decode(sample.encoding, sample.bytes, block_bytes);
      EXPECT_FALSE(decoded.invalid.has_value()) << sample.encoding;
      EXPECT_EQ(decoded.text, sample.text) << sample.encoding << " by " << block_bytes;
    }
  }
}

// Long stretches of ASCII are not ICU's; characters of more bytes begin anywhere between them.
TEST(TextDecoderTest, AsciiAndOthersInStretchesOfEveryLength) {
  const std::vector<std::pair<std::string, std::u16string>> others = {
      {"\xC3\xA9", u"\u00E9"}, {"\xE4\xB8\xAD", u"\u4E2D"}, {"\xF0\x9F\x98\x80", u"\U0001F600"}};
  std::mt19937 random(5);
  for (int times = 0; times < 30; ++times) {
    std::string bytes;
    std::u16string text;
    for (int i = 0; i < 40; ++i) {
      const size_t ascii = random() % (i % 5 == 0 ? 200 : 20);
      for (size_t j = 0; j < ascii; ++j) {
        bytes += static_cast<char>('a' + j % 26);
        text += static_cast<char16_t>('a' + j % 26);
      }
      for (size_t j = random() % (i % 7 == 0 ? 60 : 3); j > 0; --j) {
        const auto& [utf8, utf16] = others[random() % others.size()];
        bytes += utf8;
        text += utf16;
      }
    }
    const size_t wrong = random() % bytes.size();
    std::string damaged = bytes.substr(0, wrong) + '\xFF' + bytes.substr(wrong);
    const auto is_within = [](char byte) {
      return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
    };
    size_t expected = wrong;  // a character that ends too early is wrong itself
    if (is_within(damaged[wrong + 1])) {
      do --expected;
      while (is_within(damaged[expected]));
    }
    for (const size_t block_bytes : {1, 3, 16, 17, 64, 100, 100000}) {
      const Decoded decoded = Decode("utf-8", bytes, block_bytes);
      EXPECT_FALSE(decoded.invalid.has_value());
      EXPECT_EQ(decoded.text, text) << block_bytes;
      const Decoded failed = Decode("utf-8", damaged, block_bytes);
      ASSERT_TRUE(failed.invalid.has_value()) << block_bytes;
      EXPECT_EQ(failed.invalid->offset, expected) << block_bytes;
      EXPECT_FALSE(failed.invalid->truncated);
    }
    const Decoded cut = Decode("utf-8", bytes + "0123456789abcdefg\xE4\xB8", 1 + random() % 90);
    ASSERT_TRUE(cut.invalid.has_value());
    EXPECT_TRUE(cut.invalid->truncated);
    EXPECT_EQ(cut.invalid->offset, bytes.size() + 17);
  }
}

// ICU still holds the first byte of a character when ASCII follows that it shall not overtake.
TEST(TextDecoderTest, AsciiBehindHalfACharacter) {
  const std::string ascii = "0123456789abcdefghij";
  const std::u16string after = u"\uFFFD0123456789abcdefghij";
  EXPECT_EQ(Decode("utf-8", "x\xE4" + ascii + ascii, 2 + ascii.size() / 2, true).text,
            u"x" + after + after.substr(1));
  TextDecoder decoder("utf-8", true);
  std::u16string text;
  decoder.Decode("\xE4", false, &text);
  decoder.Decode(ascii, true, &text);
  EXPECT_EQ(text, after);
  std::string many;
  std::u16string expected;
  for (int i = 0; i < 21; ++i) {
    many += "\xE4\xB8\xAD";
    expected += u'\u4E2D';
  }
  for (int times = 0; times < 4; ++times) {  // the wrong byte is the 64th and those around it
    EXPECT_EQ(Decode("utf-8", many + "\xE4" + ascii, 1000, true).text, expected + after);
    many += "\xC3\xA9";
    expected += u'\u00E9';
    many.erase(0, 3);
    expected.erase(0, 1);
  }
}

struct Wrong {
  const char* encoding;
  std::string bytes;
  uint64_t offset;
  std::string invalid;
  bool truncated = false;
};

TEST(TextDecoderTest, NamesTheExactOffsetOfWrongBytes) {
  const std::vector<Wrong> wrongs = {
      {"utf-8", "abc\xFFxyz", 3, "\xFF"},
      {"utf-8", "\x80", 0, "\x80"},
      {"utf-8", "\xE4\xB8\xADx\xE4\xB8y", 4, "\xE4\xB8"},
      {"utf-8", "ab\xC0\xAF", 2, "\xC0"},          // overlong
      {"utf-8", "ab\xED\xA0\x80z", 2, "\xED"},     // a surrogate
      {"utf-8", "ab\xF4\x90\x80\x80", 2, "\xF4"},  // beyond U+10FFFF
      {"utf-8", "abc\xE4\xB8", 3, "\xE4\xB8", true},
      {"utf-8", "\xF0\x9F\x98", 0, "\xF0\x9F\x98", true},
      {"gbk", "\xD6\xD0\xD6", 2, "\xD6", true},
      {"gb18030", "ab\x81\x30\x86", 2, "\x81\x30\x86", true},
      {"utf-16le", "A\0B"s, 2, "B", true},
      {"utf-16le", "A\0\0\xDC"s + "B\0"s, 2, "\0\xDC"s},  // half a pair
      {"us-ascii", "abc\xE9", 3, "\xE9"},
      {"iso-2022-jp", "A\x1B$B\x46\x7C\x46", 6, "\x46", true},
  };
  for (const Wrong& wrong : wrongs) {
    for (const size_t block_bytes : {1, 2, 3, 4, 1000}) {
      const auto where = fmt::format("{} {} by {}", wrong.encoding, Hex(wrong.bytes), block_bytes);
      const Decoded decoded = Decode(wrong.encoding, wrong.bytes, block_bytes);
      ASSERT_TRUE(decoded.invalid.has_value()) << where;
      EXPECT_EQ(decoded.invalid->offset, wrong.offset) << where;
      EXPECT_EQ(Hex(decoded.invalid->bytes), Hex(wrong.invalid)) << where;
      EXPECT_EQ(decoded.invalid->truncated, wrong.truncated) << where;
    }
  }
}

// Whatever a converter makes of noise: what is reported stands at the offset that is reported, and
// neither depends on the blocks.
TEST(TextDecoderTest, ReportsTheSameOffsetForAnyBlocks) {
  std::mt19937 random(7);
  for (const char* encoding : {"utf-8", "gbk", "gb18030", "utf-16", "utf-16le", "utf-32", "big5",
                               "shift_jis", "euc-jp", "iso-2022-jp", "iso-2022-kr", "hz"}) {
    for (int round = 0; round < 300; ++round) {
      std::string bytes;
      for (int i = 0; i < 40; ++i) {
        const uint32_t die = random() % 8;
        bytes += static_cast<char>(die < 3 ? 'a' + random() % 26 : random() % 256);
        if (die == 7) bytes += "\x1B$B";
      }
      const Decoded whole = Decode(encoding, bytes, 1000);
      const size_t block_bytes = 1 + random() % 8;
      const Decoded parts = Decode(encoding, bytes, block_bytes);
      const auto where = fmt::format("{} {} by {}", encoding, Hex(bytes), block_bytes);
      ASSERT_EQ(whole.invalid.has_value(), parts.invalid.has_value()) << where;
      if (!whole.invalid) continue;
      EXPECT_EQ(whole.invalid->offset, parts.invalid->offset) << where;
      EXPECT_EQ(Hex(whole.invalid->bytes), Hex(parts.invalid->bytes)) << where;
      EXPECT_EQ(Hex(whole.invalid->bytes),
                Hex(bytes.substr(whole.invalid->offset, whole.invalid->bytes.size())))
          << where;
    }
  }
}

TEST(TextDecoderTest, ReplacesAndCountsWrongSequences) {
  const std::string bytes = "a\xFF\xFE" + "b\xE4\xB8"s + "c\xE4"s;
  for (const size_t block_bytes : {1, 2, 1000}) {
    const Decoded decoded = Decode("utf-8", bytes, block_bytes, true);
    EXPECT_FALSE(decoded.invalid.has_value());
    EXPECT_EQ(decoded.text, u"a\uFFFD\uFFFDb\uFFFDc\uFFFD");
    EXPECT_EQ(decoded.replaced, 4u);
  }
}

TEST(TextDecoderTest, OffsetsStartAnewWithEachText) {
  TextDecoder decoder("utf-8", false);
  std::u16string text;
  EXPECT_FALSE(decoder.Decode("abcdef", true, &text).has_value());
  const auto invalid = decoder.Decode("g\xFF", true, &text);
  ASSERT_TRUE(invalid.has_value());
  EXPECT_EQ(invalid->offset, 1u);
}

TEST(TextDecoderTest, UnknownEncodingsGetSuggestions) {
  EXPECT_THAT([] { TextDecoder("gb18300", false); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("\"gb18300\""), HasSubstr("gb18030"))));
  EXPECT_THAT([] { TextDecoder("uft-8", false); },
              ThrowsMessage<InputError>(HasSubstr("Did you mean UTF-8")));
  EXPECT_THAT([] { TextDecoder("klingon", false); },
              ThrowsMessage<InputError>(HasSubstr("uconv -l")));
  EXPECT_THAT([] { TextDecoder("", false); }, ThrowsMessage<InputError>(HasSubstr("\"\"")));
}

}  // namespace
}  // namespace lockstep::io
