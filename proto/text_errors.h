#ifndef LOCKSTEP_PROTO_TEXT_ERRORS_H_
#define LOCKSTEP_PROTO_TEXT_ERRORS_H_

#include <optional>
#include <string>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/common.h>

#include "proto/text_place.h"

namespace lockstep::proto {

/// Keeps the first error that Protobuf reports, and keeps Protobuf from printing any.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  struct Error {
    TextPosition position;
    std::string message;
  };

  const std::optional<Error>& error() const { return error_; }

// Protobuf 22 renamed the function and takes a view.
#if GOOGLE_PROTOBUF_VERSION >= 4022000
  void RecordError(int line, int column, absl::string_view message) override {
    Keep(line, column, std::string(message));
  }
#else
  void AddError(int line, int column, const std::string& message) override {
    Keep(line, column, message);
  }
#endif

 private:
  void Keep(int line, int column, const std::string& message) {
    if (!error_) error_ = Error{{line, column}, message};
  }

  std::optional<Error> error_;
};

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_TEXT_ERRORS_H_
