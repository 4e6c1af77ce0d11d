#ifndef LOCKSTEP_IO_TEXT_TEXT_MAP_H_
#define LOCKSTEP_IO_TEXT_TEXT_MAP_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::io {

/// A number for each of many different texts. Open addressing with linear probing (Knuth, volume 3,
/// 6.4): a look-up reads one slot and one record, which has the text beside its number, where
/// std::unordered_map follows a chain of three. At most 2^35 bytes of texts.
class TextMap {
 public:
  /// The number of a text, null where it is not there. Valid until the next Add.
  uint64_t* Find(std::string_view text);
  const uint64_t* Find(std::string_view text) const {
    return const_cast<TextMap*>(this)->Find(text);
  }

  /// Adds a text that is not there.
  void Add(std::string_view text, uint64_t number);

  /// Calls `visit(text, number)` for each text, in the order in which they were added.
  template <class Visit>
  void ForEach(const Visit& visit) const {
    for (size_t at = 0; at < records_.size();) {
      const Record* record = RecordAt(at);
      visit(record->text(), record->number);
      at += RecordBytes(record->length);
    }
  }

  size_t size() const { return size_; }
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
  struct Slot {
    uint32_t hash = 0;
    uint32_t record = 0;  // its place in units of 8 bytes, from 1; 0: none
  };

  static size_t RecordBytes(size_t text_bytes) { return sizeof(Record) + (text_bytes + 7) / 8 * 8; }
  const Record* RecordAt(size_t byte) const {
    return reinterpret_cast<const Record*>(records_.data() + byte);
  }
  bool IsFull() const { return size_ >= slots_.size() / 2; }
  size_t GrownSlots() const;
  void Grow();
  /// Where a text stands or would stand.
  Slot* SlotOf(std::string_view text, uint32_t hash);

  std::vector<Slot> slots_;    // a power of two, or none
  std::vector<char> records_;  // one behind the other, each padded to 8 bytes
  size_t size_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_MAP_H_
