#ifndef LOCKSTEP_PROTO_TEXT_PLACE_H_
#define LOCKSTEP_PROTO_TEXT_PLACE_H_

#include <string>
#include <vector>

namespace lockstep::proto {

/// A position in a text, counted from 0 as Protobuf's tokenizer does (a tab goes on to the next
/// multiple of 8 columns).
struct TextPosition {
  int line = 0;
  int column = 0;
};

/// What a text in Protobuf's text format was about to say at some position.
struct TextPlace {
  /// What the parser had read last: nothing of a field, a field's name, its name and colon, or the
  /// whole field.
  enum class State { kBetweenFields, kAfterName, kAtValue, kAfterValue };

  State state = State::kBetweenFields;
  /// The names of the enclosing blocks and of the last field; without that field in kBetweenFields.
  std::vector<std::string> path;
  /// Where the last field's name stands, and its value.
  TextPosition name;
  TextPosition value;
  /// The last field's value as it is written; empty before kAfterValue.
  std::string value_text;
};

/// Reads `text` up to the token at `end`, which is not read itself. Never fails: of a text that is
/// not well formed it tells what it could follow.
TextPlace FindPlace(const std::string& text, TextPosition end);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_TEXT_PLACE_H_
