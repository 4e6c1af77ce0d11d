#include "trainer/tasks/translate/target_text.h"

#include <optional>

namespace lockstep::trainer {

std::string TextOf(const io::Vocabulary& vocabulary, std::span<const int32_t> tokens,
                   const std::function<std::string(size_t place)>& unknown) {
  std::string text;
  std::optional<uint32_t> previous;
  for (size_t place = 0; place < tokens.size(); ++place) {
    const auto id = static_cast<uint32_t>(tokens[place]);
    std::string piece = vocabulary.Decode(id, previous);
    const std::string& token = vocabulary.tokens()[id];
    // What stands before it is a space.
    if (unknown && id == vocabulary.unknown() && piece.ends_with(token)) {
      piece.replace(piece.size() - token.size(), token.size(), unknown(place));
    }
    text += piece;
    previous = id;
  }
  return text;
}

}  // namespace lockstep::trainer
