#include "proto/text_place.h"

#include <tuple>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "proto/text_errors.h"

namespace lockstep::proto {
namespace {

using google::protobuf::io::Tokenizer;
using State = TextPlace::State;

// Follows the grammar of text format (protobuf.dev, "Text Format Language Specification") as far as
// a schema without lists, maps and extensions needs it: field = name [":"] ("{" fields "}" |
// value).
class Follower {
 public:
  void Read(const Tokenizer::Token& token) {
    switch (place_.state) {
      case State::kBetweenFields:
      case State::kAfterValue:
        return ReadBetweenFields(token);
      case State::kAfterName:
        if (token.text == ":") {
          place_.state = State::kAtValue;
          return;
        }
        return ReadValue(token);
      case State::kAtValue:
        return ReadValue(token);
    }
  }

  TextPlace place() const { return place_; }

 private:
  void ReadBetweenFields(const Tokenizer::Token& token) {
    if (token.type == Tokenizer::TYPE_IDENTIFIER) {
      place_ = TextPlace{State::kAfterName, blocks_, {token.line, token.column}, {}, {}};
      place_.path.push_back(token.text);
    } else if (token.text == "}" || token.text == ">") {
      if (!blocks_.empty()) blocks_.pop_back();
      place_ = TextPlace{State::kBetweenFields, blocks_, {}, {}, {}};
    }
  }

  void ReadValue(const Tokenizer::Token& token) {
    if (token.text == "{" || token.text == "<") {
      blocks_ = place_.path;
      place_ = TextPlace{State::kBetweenFields, blocks_, {}, {}, {}};
      return;
    }
    if (place_.value_text.empty()) place_.value = {token.line, token.column};
    place_.value_text += token.text;
    if (token.text != "-") place_.state = State::kAfterValue;
  }

  std::vector<std::string> blocks_;
  TextPlace place_;
};

}  // namespace

TextPlace FindPlace(const std::string& text, TextPosition end) {
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  FirstError ignored;
  Tokenizer tokenizer(&stream, &ignored);
  // As TextFormat::Parser sets it.
  tokenizer.set_allow_f_after_float(true);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_require_space_after_number(false);
  tokenizer.set_allow_multiline_strings(true);
  Follower follower;
  while (tokenizer.Next()) {
    const Tokenizer::Token& token = tokenizer.current();
    if (std::tie(token.line, token.column) >= std::tie(end.line, end.column)) break;
    follower.Read(token);
  }
  return follower.place();
}

}  // namespace lockstep::proto
