#ifndef LOCKSTEP_IO_TEXT_PIECE_CUTTER_H_
#define LOCKSTEP_IO_TEXT_PIECE_CUTTER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace lockstep::io {

/// Cuts an endless text into pieces of bounded size at places where a cut does no harm. A piece
/// ends at the last safe place within its first `most_units` UTF-16 units; where there is none,
/// after exactly that many (one fewer rather than between the halves of a surrogate pair). So the
/// pieces depend on the text alone, never on how it was fed.
class PieceCutter {
 public:
  /// Whether the text may be cut before text[at]; 0 < at < text.size(). text[at] begins a code
  /// point.
  using SafeBefore = std::function<bool(std::u16string_view text, size_t at)>;
  using Take = std::function<void(std::u16string_view piece)>;

  /// `take` is called once for each piece, in order; the piece is valid during the call only.
  /// most_units >= 2.
  PieceCutter(size_t most_units, SafeBefore safe_before, Take take);

  void Feed(std::u16string_view text);
  /// The text ends here: hands over what is left. Then another text may be fed.
  void Finish();

 private:
  /// Hands over pieces as long as `known_units` are pending.
  void TakePieces(size_t known_units);
  size_t CutWithin(std::u16string_view text) const;

  size_t most_units_;
  SafeBefore safe_before_;
  Take take_;
  std::u16string pending_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_PIECE_CUTTER_H_
