#include "io/text/piece_cutter.h"

#include <utility>

#include <unicode/utf16.h>

namespace lockstep::io {

PieceCutter::PieceCutter(size_t most_units, SafeBefore safe_before, Take take)
    : most_units_(most_units), safe_before_(std::move(safe_before)), take_(std::move(take)) {}

void PieceCutter::Feed(std::u16string_view text) {
  pending_.append(text);
  // Two units beyond the piece must be known: the code point before which it may end.
  TakePieces(most_units_ + 2);
}

void PieceCutter::Finish() {
  TakePieces(most_units_ + 1);
  if (!pending_.empty()) take_(pending_);
  pending_.clear();
}

void PieceCutter::TakePieces(size_t known_units) {
  std::u16string_view rest = pending_;
  while (rest.size() >= known_units) {
    const size_t cut = CutWithin(rest);
    take_(rest.substr(0, cut));
    rest.remove_prefix(cut);
  }
  pending_.erase(0, pending_.size() - rest.size());
}

size_t PieceCutter::CutWithin(std::u16string_view text) const {
  const auto within_pair = [&](size_t at) {
    return U16_IS_TRAIL(text[at]) && U16_IS_LEAD(text[at - 1]);
  };
  for (size_t at = most_units_; at > 0; --at) {
    if (!within_pair(at) && safe_before_(text, at)) return at;
  }
  return within_pair(most_units_) ? most_units_ - 1 : most_units_;
}

}  // namespace lockstep::io
