#ifndef LOCKSTEP_IO_TEXT_TOKEN_TEXTS_H_
#define LOCKSTEP_IO_TEXT_TOKEN_TEXTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "io/text/vocabulary.h"

namespace lockstep::io {

/// The tokens whose ids Vocabulary::Encode gives of a text, in their order, as they stand in it
/// (normalised as for Encode; pieces of words without their mark): those, too, that the vocabulary
/// does not know. InputError on text
/// that is not UTF-8.
std::vector<std::string> TokenTexts(const Vocabulary& vocabulary, std::string_view utf8);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_TEXTS_H_
