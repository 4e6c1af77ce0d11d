#include "io/text/subwords.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <queue>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"
#include "io/text/line_reader.h"
#include "io/text/subword_learner.h"

namespace lockstep::io {
namespace {

constexpr uint32_t kNoSymbol = std::numeric_limits<uint32_t>::max();
constexpr std::string_view kVersionLine = "#version: 0.2";

uint64_t PairKey(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

bool FitsCodesFile(const std::string& symbol) {
  return !symbol.empty() && symbol.find_first_of(" \r\n") == std::string::npos;
}

}  // namespace

std::vector<std::string_view> CodePoints(std::string_view utf8) {
  std::vector<std::string_view> characters;
  for (size_t begin = 0; begin < utf8.size();) {
    size_t end = begin + 1;
    while (end < utf8.size() && (static_cast<unsigned char>(utf8[end]) & 0xC0) == 0x80) ++end;
    characters.push_back(utf8.substr(begin, end - begin));
    begin = end;
  }
  return characters;
}

/// The pieces of one word while merges join them; piece i begins at character i.
class Subwords::Pieces {
 public:
  /// `seen` gets each piece that comes to be, as a token; empty: nobody asks.
  using Seen = std::function<void(std::string token)>;

  Pieces(const Subwords& subwords, std::string_view word, Seen seen)
      : subwords_(subwords), word_(word), seen_(std::move(seen)) {
    const std::vector<std::string_view> characters = CodePoints(word);
    pieces_.resize(characters.size());
    size_t begin = 0;
    for (uint32_t i = 0; i < pieces_.size(); ++i) {
      Piece& piece = pieces_[i];
      piece.begin = begin;
      piece.end = begin += characters[i].size();
      piece.previous = i - 1;  // kNoSymbol for the first
      piece.next = i + 1;
      std::string symbol(characters[i]);
      if (piece.next == pieces_.size()) symbol += kEndOfWord;
      const auto found = subwords.symbols_.find(symbol);
      piece.symbol = found == subwords.symbols_.end() ? kNoSymbol : found->second;
      Tell(piece);
    }
  }

  /// As subword-nmt's encode: all places of the earliest merge at once, from left to right, then
  /// again.
  void MergeAll() {
    for (uint32_t at = 0; at < pieces_.size(); ++at) Consider(at);
    while (!candidates_.empty()) {
      const uint32_t rank = candidates_.top().first;
      places_.clear();
      for (; !candidates_.empty() && candidates_.top().first == rank; candidates_.pop()) {
        places_.push_back(candidates_.top().second);
      }
      merged_.clear();
      for (const uint32_t at : places_) {
        const Product* product = ProductAt(at);
        if (product && product->rank == rank) Merge(at, product->symbol);
      }
      for (const uint32_t at : merged_) {
        if (pieces_[at].symbol == kGone) continue;
        if (pieces_[at].previous != kNoSymbol) Consider(pieces_[at].previous);
        Consider(at);
      }
    }
  }

  std::vector<std::string> Tokens() const {
    std::vector<std::string> tokens;
    for (uint32_t at = 0; at < pieces_.size(); at = pieces_[at].next) {
      tokens.push_back(Token(pieces_[at]));
    }
    return tokens;
  }

 private:
  static constexpr uint32_t kGone = kNoSymbol - 1;  // became part of the piece before it

  struct Piece {
    size_t begin = 0;
    size_t end = 0;
    uint32_t symbol = kNoSymbol;
    uint32_t previous = 0;
    uint32_t next = 0;
  };
  using Candidate = std::pair<uint32_t, uint32_t>;  // rank of the merge, place of its left piece

  std::string Token(const Piece& piece) const {
    std::string token(word_.substr(piece.begin, piece.end - piece.begin));
    if (piece.end < word_.size()) token += kContinues;
    return token;
  }

  void Tell(const Piece& piece) const {
    if (seen_) seen_(Token(piece));
  }

  const Product* ProductAt(uint32_t at) const {
    const Piece& piece = pieces_[at];
    if (piece.next >= pieces_.size()) return nullptr;
    return subwords_.Find(piece.symbol, pieces_[piece.next].symbol);
  }

  void Consider(uint32_t at) {
    if (const Product* product = ProductAt(at)) candidates_.emplace(product->rank, at);
  }

  void Merge(uint32_t at, uint32_t symbol) {
    Piece& piece = pieces_[at];
    Piece& right = pieces_[piece.next];
    piece.symbol = symbol;
    piece.end = right.end;
    piece.next = right.next;
    right.symbol = kGone;
    if (piece.next < pieces_.size()) pieces_[piece.next].previous = at;
    merged_.push_back(at);
    Tell(piece);
  }

  const Subwords& subwords_;
  std::string_view word_;
  Seen seen_;
  std::vector<Piece> pieces_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
  std::vector<uint32_t> places_;
  std::vector<uint32_t> merged_;
};

Subwords::Subwords(std::vector<Merge> merges) : merges_(std::move(merges)) {
  for (uint32_t rank = 0; rank < merges_.size(); ++rank) {
    const Merge& merge = merges_[rank];
    if (!FitsCodesFile(merge.left) || !FitsCodesFile(merge.right)) {
      throw InputError(
          fmt::format("merge {} is not of two symbols without spaces: \"{}\" and \"{}\"", rank + 1,
                      merge.left, merge.right));
    }
    const uint32_t left = Intern(merge.left);
    const uint32_t right = Intern(merge.right);
    products_.emplace(PairKey(left, right), Product{rank, Intern(merge.left + merge.right)});
  }
}

uint32_t Subwords::Intern(const std::string& symbol) {
  return symbols_.emplace(symbol, static_cast<uint32_t>(symbols_.size())).first->second;
}

const Subwords::Product* Subwords::Find(uint32_t left, uint32_t right) const {
  const auto found = products_.find(PairKey(left, right));
  return found == products_.end() ? nullptr : &found->second;
}

std::vector<std::string> Subwords::Segment(std::string_view word) const {
  Pieces pieces(*this, word, nullptr);
  pieces.MergeAll();
  return pieces.Tokens();
}

std::vector<std::string> Subwords::Stages(std::string_view word) const {
  std::vector<std::string> stages;
  Pieces(*this, word, [&](std::string token) { stages.push_back(std::move(token)); }).MergeAll();
  return stages;
}

Subwords Subwords::Learn(std::span<const CountedWord> words, uint64_t most_merges,
                         uint64_t least_count) {
  return Subwords(LearnMerges(words, most_merges, least_count));
}

Subwords Subwords::ReadCodes(const std::filesystem::path& path, uint64_t most) {
  LineReader lines(path);
  std::optional<std::string_view> line = lines.Next();
  if (!line || !line->starts_with(kVersionLine)) {
    throw InputError(
        fmt::format("{}, line 1: is not \"{}\". Name a codes file of subword-nmt learn-bpe; older "
                    "versions put the end of a word elsewhere.",
                    lines.name(), kVersionLine));
  }
  std::vector<Merge> merges;
  while ((line = lines.Next()) && (most == 0 || merges.size() < most)) {
    while (!line->empty() && line->back() == ' ') line->remove_suffix(1);
    if (line->empty()) continue;
    const size_t space = line->find(' ');
    if (space == 0 || space == std::string_view::npos ||
        line->find(' ', space + 1) != std::string_view::npos) {
      lines.Fail(fmt::format("is not two symbols with a space between them: \"{}\"", *line));
    }
    merges.push_back({std::string(line->substr(0, space)), std::string(line->substr(space + 1))});
  }
  return Subwords(std::move(merges));
}

void Subwords::WriteCodes(const std::filesystem::path& path) const {
  std::string text(kVersionLine);
  text += '\n';
  for (const Merge& merge : merges_) text += merge.left + ' ' + merge.right + '\n';
  NewFile file(path);
  file.Append(text);
  file.Publish();
}

void RequirePlaceForCodes(const std::filesystem::path& path, const std::filesystem::path& output) {
  if (std::filesystem::weakly_canonical(path) == std::filesystem::weakly_canonical(output)) {
    throw InputError(
        fmt::format("--write-codes and --output both name {}: name two files.", output.string()));
  }
  const NewFile place(path);
  std::ifstream old(path);
  std::string line;
  if (std::getline(old, line) && !line.starts_with("#version:")) {
    throw InputError(fmt::format(
        "{} stands there already and is no codes file, whose place --write-codes would take. Name "
        "another one.",
        path.string()));
  }
}

}  // namespace lockstep::io
