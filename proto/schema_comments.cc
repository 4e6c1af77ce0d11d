#include "proto/schema_comments.h"

#include <cstddef>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <google/protobuf/descriptor.pb.h>

namespace lockstep::proto {

// Defined in the generated schema_bytes.cc.
extern const unsigned char kSchemaBytes[];
extern const std::size_t kSchemaSizeBytes;

namespace {

namespace pb = google::protobuf;

// The descriptors that protoc compiles in carry no comments, so the schema is built a second time
// from the embedded descriptor set, which does.
std::unique_ptr<pb::DescriptorPool> BuildPool() {
  pb::FileDescriptorSet files;
  if (!files.ParseFromArray(kSchemaBytes, static_cast<int>(kSchemaSizeBytes))) {
    throw std::logic_error("the embedded schema does not parse");
  }
  auto pool = std::make_unique<pb::DescriptorPool>();
  pb::FileDescriptorProto options;
  pb::FileDescriptorProto::descriptor()->file()->CopyTo(&options);
  pool->BuildFile(options);
  for (const pb::FileDescriptorProto& file : files.file()) {
    if (pool->BuildFile(file) == nullptr)
      throw std::logic_error("the embedded schema is not valid");
  }
  return pool;
}

const pb::DescriptorPool& Pool() {
  static const std::unique_ptr<pb::DescriptorPool> pool = BuildPool();
  return *pool;
}

template <typename Descriptor>
std::string Paragraph(const Descriptor* documented, const std::string& name) {
  pb::SourceLocation location;
  if (documented == nullptr || !documented->GetSourceLocation(&location)) {
    throw std::logic_error(fmt::format("{} is not in the embedded schema", name));
  }
  std::istringstream words(location.leading_comments);
  std::string paragraph;
  for (std::string word; words >> word;) {
    if (!paragraph.empty()) paragraph += ' ';
    paragraph += word;
  }
  return paragraph;
}

}  // namespace

std::string CommentOf(const pb::FieldDescriptor& field) {
  const std::string name(field.full_name());
  return Paragraph(Pool().FindFieldByName(name), name);
}

std::string CommentOf(const pb::EnumValueDescriptor& value) {
  const std::string name(value.full_name());
  return Paragraph(Pool().FindEnumValueByName(name), name);
}

}  // namespace lockstep::proto
