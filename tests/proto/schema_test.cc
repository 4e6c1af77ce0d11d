#include <gtest/gtest.h>

#include "proto/interval.h"
#include "proto/schema_comments.h"
#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

TEST(SchemaTest, EveryFieldAndEnumValueHasAComment) {
  for (const auto& [path, field] : AllFields()) {
    EXPECT_NE(CommentOf(*field), "") << path;
    if (field->enum_type() == nullptr) continue;
    for (int i = 0; i < field->enum_type()->value_count(); ++i) {
      const pb::EnumValueDescriptor& value = *field->enum_type()->value(i);
      EXPECT_NE(CommentOf(value), "") << std::string(value.full_name());
    }
  }
}

TEST(SchemaTest, CommentIsThatOfTheSchema) {
  const auto* const adam = Adam::descriptor()->FindFieldByName("beta1");
  EXPECT_EQ(CommentOf(*adam), "Decay of the first moment.");
  EXPECT_EQ(CommentOf(*Cell_descriptor()->FindValueByName("RNN_TANH")), "h = tanh(W x + U h + b)");
}

// The seed may be any number.
TEST(SchemaTest, EveryNumberButTheSeedHasARange) {
  for (const auto& [path, field] : AllFields()) {
    if (path == "training.seed") continue;
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_INT32:
      case pb::FieldDescriptor::CPPTYPE_INT64:
      case pb::FieldDescriptor::CPPTYPE_UINT64:
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        EXPECT_NO_THROW(Interval(field->options().GetExtension(range))) << path;
        break;
      default:
        EXPECT_EQ(field->options().GetExtension(range), "") << path;
    }
  }
}

// The types that defaults, checks and printing handle, and nothing repeated.
TEST(SchemaTest, EveryFieldIsOfAHandledKind) {
  for (const auto& [path, field] : AllFields()) {
    EXPECT_FALSE(field->is_repeated()) << path;
    EXPECT_NE(field->cpp_type(), pb::FieldDescriptor::CPPTYPE_FLOAT) << path;
    EXPECT_NE(field->cpp_type(), pb::FieldDescriptor::CPPTYPE_UINT32) << path;
    if (field->options().GetExtension(not_empty)) {
      EXPECT_EQ(field->cpp_type(), pb::FieldDescriptor::CPPTYPE_STRING) << path;
    }
  }
}

TEST(SchemaTest, EveryOneofNamesOneOfItsAlternativesAsDefault) {
  for (const auto& [path, field] : AllFields()) {
    const pb::OneofDescriptor* const oneof = field->containing_oneof();
    if (oneof == nullptr) continue;
    const std::string& name = oneof->options().GetExtension(default_alternative);
    const auto* const alternative = field->containing_type()->FindFieldByName(name);
    ASSERT_NE(alternative, nullptr) << path;
    EXPECT_EQ(alternative->containing_oneof(), oneof) << path;
  }
}

}  // namespace
}  // namespace lockstep::proto
