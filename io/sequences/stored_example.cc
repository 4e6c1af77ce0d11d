#include "io/sequences/stored_example.h"

#include <cstring>

namespace lockstep::io {
namespace {

void PutNumber(uint32_t number, std::string* record) {
  record->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void PutText(std::string_view text, std::string* record) {
  PutNumber(static_cast<uint32_t>(text.size()), record);
  record->append(text);
}

uint32_t TakeNumber(std::string_view* rest) {
  uint32_t number = 0;
  std::memcpy(&number, rest->data(), sizeof(number));
  rest->remove_prefix(sizeof(number));
  return number;
}

std::string_view TakeText(std::string_view* rest) {
  const uint32_t size = TakeNumber(rest);
  const std::string_view text = rest->substr(0, size);
  rest->remove_prefix(size);
  return text;
}

}  // namespace

void EncodeExample(const SourceExample& example, NameIndex* labels, NameIndex* tags,
                   std::string* record) {
  record->clear();
  for (const std::string_view text : example.texts) PutText(text, record);
  PutNumber(example.label.empty() ? 0 : labels->NumberOf(example.label), record);
  PutNumber(static_cast<uint32_t>(example.tags.size()), record);
  for (const std::string_view tag : example.tags) PutNumber(tags->NumberOf(tag), record);
  PutNumber(static_cast<uint32_t>(example.cells.size()), record);
  for (const std::string_view cell : example.cells) PutText(cell, record);
  record->append(reinterpret_cast<const char*>(example.numbers.data()),
                 example.numbers.size_bytes());
}

void DecodeExample(std::string_view record, StoredExample* example) {
  for (std::string_view& text : example->texts) text = TakeText(&record);
  example->label = TakeNumber(&record);
  example->tags.resize(TakeNumber(&record));
  for (uint32_t& tag : example->tags) tag = TakeNumber(&record);
  example->cells.resize(TakeNumber(&record));
  for (std::string_view& cell : example->cells) cell = TakeText(&record);
  example->numbers.resize(record.size() / sizeof(float));
  if (!record.empty()) std::memcpy(example->numbers.data(), record.data(), record.size());
}

}  // namespace lockstep::io
