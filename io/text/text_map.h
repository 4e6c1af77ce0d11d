#ifndef LOCKSTEP_IO_TEXT_TEXT_MAP_H_
#define LOCKSTEP_IO_TEXT_TEXT_MAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::io {

/// A number for each of many different texts. Open addressing with linear probing (Knuth, volume 3,
/// 6.4): a look-up reads one slot and one record, which has the text beside its number, where
/// std::unordered_map follows a chain of three. The slot alone tells texts of up to 8 bytes, as
/// most words are. At most 2^35 bytes of texts.
class TextMap {
 public:
  /// The number of a text, null where it is not there. Valid until the next Add.
  uint64_t* Find(std::string_view text) { return FindKey(text, KeyOf(text)); }
  const uint64_t* Find(std::string_view text) const {
    return const_cast<TextMap*>(this)->Find(text);
  }

  /// Calls use(i, number) for each text in turn, as Find would give the number; `use` may Add. The
  /// slots of some are fetched at once, so that their waits fall together.
  template <class Use>
  void FindEach(std::span<const std::string_view> texts, const Use& use) {
    constexpr size_t kSome = 16;
    Key keys[kSome];
    for (size_t first = 0; first < texts.size(); first += kSome) {
      const size_t count = std::min(kSome, texts.size() - first);
      for (size_t i = 0; i < count; ++i) {
        keys[i] = KeyOf(texts[first + i]);
        if (!slots_.empty()) __builtin_prefetch(&slots_[keys[i].hash & (slots_.size() - 1)]);
      }
      for (size_t i = 0; i < count && !slots_.empty(); ++i) {
        const Slot& slot = slots_[keys[i].hash & (slots_.size() - 1)];
        if (slot.record != 0) __builtin_prefetch(RecordOf(slot));
      }
      for (size_t i = 0; i < count; ++i) use(first + i, FindKey(texts[first + i], keys[i]));
    }
  }
  template <class Use>
  void FindEach(std::span<const std::string_view> texts, const Use& use) const {
    const_cast<TextMap*>(this)->FindEach(texts,
                                         [&](size_t i, const uint64_t* number) { use(i, number); });
  }

  /// Adds a text that is not there.
  void Add(std::string_view text, uint64_t number);

  /// Calls visit(text, number) for each text, in the order in which they were added; the number may
  /// be changed.
  template <class Visit>
  void ForEach(const Visit& visit) {
    for (size_t at = 0; at < records_.size();) {
      auto* record = const_cast<Record*>(RecordAt(at));
      visit(record->text(), record->number);
      at += RecordBytes(record->length);
    }
  }

  size_t size() const { return size_; }
  /// In use.
  size_t bytes() const { return slots_.size() * sizeof(Slot) + records_.size(); }
  /// The bytes in use once another text of so many bytes has been added, at their highest on the
  /// way there; what Reserve reserved beyond that is not counted.
  size_t BytesWith(size_t text_bytes) const;
  /// Makes room for so many bytes of records, so that they are never moved. Pages are the system's
  /// to give when they are used.
  void Reserve(size_t bytes) { records_.reserve(bytes); }
  /// Forgets the texts; keeps the room for records.
  void Clear();

 private:
  struct Record {
    uint64_t number;
    uint64_t length;
    std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), length}; }
  };
  /// What is compared, and where a search begins.
  struct Key {
    uint64_t head;  // of a text up to 8 bytes all of it, with the length that is in `tag`
    uint32_t tag;
    uint64_t hash;
  };
  struct Slot {
    uint64_t head = 0;
    uint32_t tag = 0;
    uint32_t record = 0;  // its place in units of 8 bytes, from 1; 0: none
  };
  static constexpr size_t kHeadBytes = sizeof(uint64_t);

  template <class Integer>
  static Integer Load(const char* from) {
    Integer value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  // Of a text shorter than 8 bytes: another number for every one of the same length. Two loads that
  // overlap, and no loop: lengths of words are nothing that a processor can foresee.
  static uint64_t ShortHead(std::string_view text) {
    const size_t length = text.size();
    const char* at = text.data();
    if (length >= 4) {
      return Load<uint32_t>(at) | uint64_t{Load<uint32_t>(at + length - 4)} << 32;
    }
    if (length == 0) return 0;
    const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])}; };
    return byte(0) | byte(length / 2) << 8 | byte(length - 1) << 16;
  }
  // The halves of a product folded together, as wyhash mixes (Wang Yi).
  static uint64_t HashOfShort(uint64_t head, size_t length) {
    const auto product =
        static_cast<unsigned __int128>(head ^ 0xa0761d6478bd642f) * (length ^ 0xe7037ed1a0b428db);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  static uint64_t HashOfLong(std::string_view text);

  static Key KeyOf(std::string_view text) {
    const size_t length = text.size();
    const uint64_t head = length >= kHeadBytes ? Load<uint64_t>(text.data()) : ShortHead(text);
    const uint64_t hash = length > kHeadBytes ? HashOfLong(text) : HashOfShort(head, length);
    const auto tag = static_cast<uint32_t>(hash >> 32 & 0xFFFFFF00) |
                     static_cast<uint32_t>(std::min<size_t>(length, 0xFF));
    return {head, tag, hash};
  }
  uint64_t* FindKey(std::string_view text, const Key& key) {
    if (slots_.empty()) return nullptr;
    const Slot* slot = SlotOf(text, key);
    if (slot->record == 0) return nullptr;
    return &const_cast<Record*>(RecordOf(*slot))->number;
  }

  static size_t RecordBytes(size_t text_bytes) { return sizeof(Record) + (text_bytes + 7) / 8 * 8; }
  const Record* RecordAt(size_t byte) const {
    return reinterpret_cast<const Record*>(records_.data() + byte);
  }
  bool IsFull() const { return size_ >= slots_.size() / 2; }
  size_t GrownSlots() const;
  void Grow();
  const Record* RecordOf(const Slot& slot) const { return RecordAt((size_t{slot.record} - 1) * 8); }
  /// Where a text stands or would stand.
  Slot* SlotOf(std::string_view text, const Key& key) {
    const size_t mask = slots_.size() - 1;
    for (size_t i = key.hash & mask;; i = (i + 1) & mask) {
      Slot& slot = slots_[i];
      if (slot.record == 0) return &slot;
      if (slot.head != key.head || slot.tag != key.tag) continue;
      if (text.size() <= kHeadBytes || RecordOf(slot)->text() == text) return &slot;
    }
  }

  std::vector<Slot> slots_;    // a power of two, or none
  std::vector<char> records_;  // one behind the other, each padded to 8 bytes
  size_t size_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_MAP_H_
