#include <algorithm>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>

#include "proto/defaults.h"
#include "proto/field_text.h"
#include "proto/run_config.h"
#include "proto/schema_comments.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;
using Lines = std::vector<std::string>;

constexpr std::size_t kColumns = 100;
constexpr std::size_t kIndentColumns = 2;
constexpr const char* kIndent = "  ";
// Stands for a blank at which a comment is not wrapped.
constexpr char kNoBreak = '\x1f';

constexpr const char* kHeader =
    "The configuration of a training run, complete, with its defaults. A run configuration needs "
    "only what differs from them. Of settings that exclude one another the default stands here; "
    "the others are commented out with a # and no blank.";

// A comment that fits under `depth` levels of indentation; lines after the first begin with
// `hanging`.
void AppendComment(const std::string& text, std::size_t depth, const std::string& hanging,
                   Lines& lines) {
  // The last column is kept for the # of a commented-out block.
  const std::size_t width = kColumns - 1 - kIndentColumns * depth;
  std::istringstream words(text);
  std::string line = "#";
  bool has_words = false;
  for (std::string word; words >> word; has_words = true) {
    if (has_words && line.size() + 1 + word.size() > width) {
      lines.push_back(line);
      line = "#" + hanging;
    }
    line += " " + word;
  }
  lines.push_back(line);
  for (std::string& wrapped : lines) std::replace(wrapped.begin(), wrapped.end(), kNoBreak, ' ');
}

void AppendFieldComment(const pb::FieldDescriptor& field, std::size_t depth, Lines& lines) {
  std::string comment = CommentOf(field);
  std::string interval = field.options().GetExtension(range);
  std::replace(interval.begin(), interval.end(), ' ', kNoBreak);
  if (!interval.empty()) comment += fmt::format(" Range:{}{}.", kNoBreak, interval);
  if (field.options().GetExtension(not_empty)) comment += " Not empty.";
  AppendComment(comment, depth, "", lines);
  if (field.enum_type() == nullptr) return;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const pb::EnumValueDescriptor& value = *field.enum_type()->value(i);
    AppendComment(fmt::format("- {}: {}", std::string(value.name()), CommentOf(value)), depth, "  ",
                  lines);
  }
}

Lines MessageLines(const pb::Message& message, std::size_t depth);

// The field with its value, without its comment.
Lines SettingLines(const pb::Message& message, const pb::FieldDescriptor& field,
                   std::size_t depth) {
  const std::string name(field.name());
  if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) {
    return {name + ": " + FieldText(message, field)};
  }
  if (field.message_type()->field_count() == 0) return {name + " {}"};
  const std::unique_ptr<pb::Message> value(
      message.GetReflection()->GetMessage(message, &field).New());
  FillDefaults(*value);
  Lines lines = {name + " {"};
  for (const std::string& line : MessageLines(*value, depth + 1)) {
    lines.push_back(line.empty() ? line : kIndent + line);
  }
  lines.push_back("}");
  return lines;
}

void AppendOneofComment(const pb::OneofDescriptor& oneof, std::size_t depth, Lines& lines) {
  Lines names;
  for (int i = 0; i < oneof.field_count(); ++i) names.emplace_back(oneof.field(i)->name());
  AppendComment(fmt::format("One of: {}.", fmt::join(names, ", ")), depth, "", lines);
  lines.emplace_back();
}

// `message` has its defaults filled in; a oneof's alternatives that are not set are commented out.
Lines MessageLines(const pb::Message& message, std::size_t depth) {
  const pb::Descriptor& type = *message.GetDescriptor();
  Lines lines;
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    const pb::OneofDescriptor* const oneof = field.containing_oneof();
    if (i > 0) lines.emplace_back();
    if (oneof != nullptr && oneof->field(0) == &field) AppendOneofComment(*oneof, depth, lines);
    AppendFieldComment(field, depth, lines);
    const bool active = message.GetReflection()->HasField(message, &field);
    for (const std::string& line : SettingLines(message, field, depth)) {
      lines.push_back(active ? line : "#" + line);
    }
  }
  return lines;
}

}  // namespace

std::string PrintAnnotatedDefaults() {
  RunConfig defaults;
  FillDefaults(defaults);
  Lines lines;
  AppendComment(kHeader, 0, "", lines);
  lines.emplace_back();
  for (std::string& line : MessageLines(defaults, 0)) lines.push_back(std::move(line));
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

}  // namespace lockstep::proto
