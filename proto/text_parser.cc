#include "proto/text_parser.h"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include "proto/field_text.h"
#include "proto/suggestion.h"
#include "proto/text_errors.h"
#include "proto/text_place.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

TextError ErrorAt(const std::string& message, TextPosition position) {
  return TextError(message, position.line + 1, position.column + 1);
}

// Whether `text` alone is a value of the field; if it is, the error lies behind it.
bool Takes(const pb::FieldDescriptor& field, const std::string& text) {
  const std::unique_ptr<pb::Message> scratch(
      pb::MessageFactory::generated_factory()->GetPrototype(field.containing_type())->New());
  FirstError ignored;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&ignored);
  return parser.ParseFieldValueFromString(text, &field, scratch.get());
}

std::string WithoutFullStop(const std::string& message) {
  if (message.ends_with(": ")) return message + "the end of the text";
  return message.ends_with(".") ? message.substr(0, message.size() - 1) : message;
}

// Protobuf's own messages name no path, suggest nothing and point behind the culprit, so they are
// only used where the schema does not tell what is wrong.
TextError Explain(const FirstError::Error& error, const TextPlace& place) {
  const std::string path = fmt::format("{}", fmt::join(place.path, "."));
  const pb::Descriptor* message = RunConfig::descriptor();
  const pb::FieldDescriptor* field = nullptr;
  for (const std::string& name : place.path) {
    if (message == nullptr) return ErrorAt(WithoutFullStop(error.message), error.position);
    field = message->FindFieldByName(name);
    if (field == nullptr) {
      return ErrorAt(
          fmt::format("unknown name \"{}\"; {}", path, Suggest(name, FieldNames(*message))),
          place.name);
    }
    message = field->message_type();
  }
  const std::string reason = WithoutFullStop(error.message);
  using State = TextPlace::State;
  if (place.state == State::kAfterValue && !Takes(*field, place.value_text)) {
    const std::string allowed = field->enum_type() != nullptr
                                    ? Suggest(place.value_text, ValueNames(*field->enum_type()))
                                    : fmt::format("allowed: {}", AllowedText(*field));
    return ErrorAt(fmt::format("{} is {}; {}", path, place.value_text, allowed), place.value);
  }
  if (place.state == State::kAtValue) {
    return ErrorAt(fmt::format("{}: {}; allowed: {}", path, reason, AllowedText(*field)),
                   error.position);
  }
  if (place.state == State::kAfterName) {
    return ErrorAt(fmt::format("{}: {}", path, reason), place.name);
  }
  return ErrorAt(reason, error.position);
}

}  // namespace

RunConfig ParseText(const std::string& text) {
  FirstError errors;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  RunConfig config;
  const bool parsed = parser.ParseFromString(text, &config);
  if (errors.error()) throw Explain(*errors.error(), FindPlace(text, errors.error()->position));
  if (!parsed) throw TextError("not a text in Protobuf's text format", 1, 1);
  return config;
}

}  // namespace lockstep::proto
