#include "io/text/token_record.h"

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"

namespace lockstep::io {

void AppendText(std::string_view token, std::vector<TokenCode>* codes) {
  const size_t at = codes->size();
  codes->resize(at + 3 + (token.size() + 1) / 2);
  (*codes)[at] = kTextFollows;
  (*codes)[at + 1] = static_cast<TokenCode>(token.size());
  (*codes)[at + 2] = static_cast<TokenCode>(token.size() >> 16);
  std::memcpy(codes->data() + at + 3, token.data(), token.size());
}

TokenRecord::TokenRecord(const std::filesystem::path& folder)
    : folder_(folder), file_(OpenNameless(folder)) {}

void TokenRecord::Append(Part part, std::span<const TokenCode> codes) {
  part.codes_bytes = codes.size_bytes();
  const auto append = [this](std::span<const std::byte> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  };
  buffer_.clear();
  append(std::as_bytes(std::span(&part, 1)));
  append(std::as_bytes(codes));
  file_.WriteAt(end_, buffer_.data(), buffer_.size());
  end_ += buffer_.size();
}

void TokenRecord::ForEach(const Visit& visit) const {
  std::vector<TokenCode> codes;
  Part part;
  for (uint64_t at = 0; at < end_; at += sizeof part + part.codes_bytes) {
    ReadAt(at, &part, sizeof part);
    codes.resize(part.codes_bytes / sizeof(TokenCode));
    ReadAt(at + sizeof part, codes.data(), part.codes_bytes);
    visit(part, codes);
  }
}

void TokenRecord::ReadAt(uint64_t at, void* out, size_t bytes) const {
  if (file_.ReadAt(at, out, bytes) == bytes) return;
  throw SystemError(fmt::format(
      "a temporary file in {} lost its end. Check the disk or the network file system and try "
      "again.",
      folder_.string()));
}

}  // namespace lockstep::io
