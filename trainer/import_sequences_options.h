#ifndef LOCKSTEP_TRAINER_IMPORT_SEQUENCES_OPTIONS_H_
#define LOCKSTEP_TRAINER_IMPORT_SEQUENCES_OPTIONS_H_

#include <functional>

#include "trainer/exit_status.h"

namespace CLI {
class App;
}

namespace lockstep::trainer {

/// Adds the commands `import labels`, `tags`, `pairs` and `captions`. `choose` is called with what
/// the one that was given does.
void AddImportSequences(CLI::App* import,
                        const std::function<void(std::function<ExitStatus()>)>& choose);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_IMPORT_SEQUENCES_OPTIONS_H_
