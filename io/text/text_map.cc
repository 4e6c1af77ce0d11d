#include "io/text/text_map.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#define XXH_INLINE_ALL  // most texts are words: the call would cost as much as the hash
#include <xxhash.h>

namespace lockstep::io {
namespace {

constexpr size_t kLeastSlots = 16;

}  // namespace

uint64_t TextMap::HashOfLong(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

void TextMap::Add(std::string_view text, uint64_t number) {
  if (IsFull()) Grow();
  const size_t at = records_.size();
  if (at / 8 >= UINT32_MAX) throw std::length_error("more texts than a map takes");
  records_.resize(at + RecordBytes(text.size()));
  const Record record = {number, text.size()};
  std::memcpy(records_.data() + at, &record, sizeof(record));
  std::copy(text.begin(), text.end(), records_.data() + at + sizeof(record));
  const Key key = KeyOf(text);
  *SlotOf(text, key) = {key.head, key.tag, static_cast<uint32_t>(at / 8 + 1)};
  ++size_;
}

size_t TextMap::GrownSlots() const { return std::max(kLeastSlots, slots_.size() * 2); }

void TextMap::Grow() {
  slots_ = std::vector<Slot>(GrownSlots());
  const size_t mask = slots_.size() - 1;
  for (size_t at = 0; at < records_.size(); at += RecordBytes(RecordAt(at)->length)) {
    const Key key = KeyOf(RecordAt(at)->text());
    size_t i = key.hash & mask;
    while (slots_[i].record != 0) i = (i + 1) & mask;
    slots_[i] = {key.head, key.tag, static_cast<uint32_t>(at / 8 + 1)};
  }
}

size_t TextMap::BytesWith(size_t text_bytes) const {
  const size_t slots = slots_.size() + (IsFull() ? GrownSlots() : 0);
  return slots * sizeof(Slot) + records_.size() + RecordBytes(text_bytes);
}

void TextMap::Clear() {
  slots_ = {};
  records_.clear();
  size_ = 0;
}

}  // namespace lockstep::io
