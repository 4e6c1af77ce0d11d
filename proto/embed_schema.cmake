# Writes the bytes of INPUT into the C++ source OUTPUT, as lockstep::proto::kSchemaBytes.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT}
"#include <cstddef>

namespace lockstep::proto {

extern const unsigned char kSchemaBytes[];
extern const std::size_t kSchemaSizeBytes;

const unsigned char kSchemaBytes[] = {
${bytes}};
const std::size_t kSchemaSizeBytes = sizeof(kSchemaBytes);

}  // namespace lockstep::proto
")
