#include "proto/overrides.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "proto/field_text.h"
#include "proto/ranges.h"
#include "proto/suggestion.h"
#include "proto/text_parser.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;
using FieldPath = std::vector<const pb::FieldDescriptor*>;

std::string Trim(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

FieldPath ResolvePath(const std::string& path) {
  FieldPath fields;
  const pb::Descriptor* message = RunConfig::descriptor();
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    if (message == nullptr) {
      throw ConfigError(fmt::format("{} has no fields; allowed: {}", path.substr(0, begin - 1),
                                    AllowedText(*fields.back())));
    }
    const std::string name = path.substr(begin, end - begin);
    const pb::FieldDescriptor* const field = message->FindFieldByName(name);
    if (field == nullptr) {
      throw ConfigError(fmt::format("unknown name \"{}\"; {}", path.substr(0, end),
                                    Suggest(name, FieldNames(*message))));
    }
    fields.push_back(field);
    message = field->message_type();
    begin = end + 1;
  }
  return fields;
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// The override as a text of its own, so that one parser and its messages serve files and the
// command line.
std::string AsConfigText(const FieldPath& fields, const std::string& value) {
  const pb::FieldDescriptor& leaf = *fields.back();
  std::string text;
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    text += std::string(fields[i]->name()) + " {\n";
  }
  const bool bare = leaf.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING &&
                    !value.starts_with('"') && !value.starts_with('\'');
  text += fmt::format("{}: {}\n", std::string(leaf.name()), bare ? Quoted(value) : value);
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) text += "}\n";
  return text;
}

// Refuses a source that sets anything but the field at the end of the path, as
// "optimizer.adam={} learning_rate: 1" would.
void CheckSetsOnly(const FieldPath& fields, const pb::Message& source) {
  const pb::Message* message = &source;
  for (const pb::FieldDescriptor* field : fields) {
    std::vector<const pb::FieldDescriptor*> set;
    message->GetReflection()->ListFields(*message, &set);
    if (set.size() != 1 || set.front() != field) {
      throw ConfigError("it sets more than one field; write one --set for each");
    }
    if (field->message_type() != nullptr) {
      message = &message->GetReflection()->GetMessage(*message, field);
    }
  }
}

void MoveField(const FieldPath& fields, pb::Message& source, pb::Message& target) {
  pb::Message* from = &source;
  pb::Message* to = &target;
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    from = from->GetReflection()->MutableMessage(from, fields[i]);
    to = to->GetReflection()->MutableMessage(to, fields[i]);
  }
  to->GetReflection()->SwapFields(from, to, {fields.back()});
}

}  // namespace

void ApplyOverride(const std::string& override_text, RunConfig& config) {
  try {
    const std::size_t equals = override_text.find('=');
    if (equals == std::string::npos) {
      throw ConfigError("there is no =; write NAME=VALUE, such as optimizer.learning_rate=0.001");
    }
    const FieldPath fields = ResolvePath(Trim(override_text.substr(0, equals)));
    const std::string value = Trim(override_text.substr(equals + 1));
    if (value.empty() && fields.back()->cpp_type() != pb::FieldDescriptor::CPPTYPE_STRING) {
      throw ConfigError(fmt::format("there is no value; allowed: {}", AllowedText(*fields.back())));
    }
    RunConfig parsed = ParseText(AsConfigText(fields, value));
    CheckSetsOnly(fields, parsed);
    CheckRanges(parsed);
    MoveField(fields, parsed, config);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("--set {}: {}", override_text, error.what()));
  }
}

}  // namespace lockstep::proto
