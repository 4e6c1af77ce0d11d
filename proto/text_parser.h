#ifndef LOCKSTEP_PROTO_TEXT_PARSER_H_
#define LOCKSTEP_PROTO_TEXT_PARSER_H_

#include <string>

#include "proto/run_config.h"

namespace lockstep::proto {

/// An error at a place of a text. `what()` is the message alone.
class TextError : public ConfigError {
 public:
  TextError(const std::string& message, int line, int column)
      : ConfigError(message), line_(line), column_(column) {}

  /// Counted from 1.
  int line() const { return line_; }
  int column() const { return column_; }

 private:
  int line_;
  int column_;
};

/// Reads `text` in Protobuf's text format; fields that it does not mention stay unset, and no value
/// is checked against its range. Throws TextError for unknown names, repeated fields, two
/// alternatives of a oneof, values of another type and anything that is not text format.
RunConfig ParseText(const std::string& text);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_TEXT_PARSER_H_
