#include "io/text/text_map.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#define XXH_INLINE_ALL  // most texts are words: the call would cost as much as the hash
#include <xxhash.h>

namespace lockstep::io {
namespace {

constexpr size_t kLeastSlots = 16;

uint32_t Hash(std::string_view text) {
  return static_cast<uint32_t>(XXH3_64bits(text.data() != nullptr ? text.data() : "", text.size()));
}

}  // namespace

uint64_t* TextMap::Find(std::string_view text) {
  if (slots_.empty()) return nullptr;
  const Slot* slot = SlotOf(text, Hash(text));
  if (slot->record == 0) return nullptr;
  return &const_cast<Record*>(RecordAt((size_t{slot->record} - 1) * 8))->number;
}

void TextMap::Add(std::string_view text, uint64_t number) {
  if (IsFull()) Grow();
  const size_t at = records_.size();
  if (at / 8 >= UINT32_MAX) throw std::length_error("more texts than a map takes");
  records_.resize(at + RecordBytes(text.size()));
  const Record record = {number, text.size()};
  std::memcpy(records_.data() + at, &record, sizeof(record));
  std::copy(text.begin(), text.end(), records_.data() + at + sizeof(record));
  const uint32_t hash = Hash(text);
  *SlotOf(text, hash) = {hash, static_cast<uint32_t>(at / 8 + 1)};
  ++size_;
}

TextMap::Slot* TextMap::SlotOf(std::string_view text, uint32_t hash) {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    Slot& slot = slots_[i];
    if (slot.record == 0) return &slot;
    if (slot.hash == hash && RecordAt((size_t{slot.record} - 1) * 8)->text() == text) return &slot;
  }
}

size_t TextMap::GrownSlots() const { return std::max(kLeastSlots, slots_.size() * 2); }

void TextMap::Grow() {
  std::vector<Slot> old(GrownSlots());
  old.swap(slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.record == 0) continue;
    size_t i = slot.hash & mask;
    while (slots_[i].record != 0) i = (i + 1) & mask;
    slots_[i] = slot;
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
