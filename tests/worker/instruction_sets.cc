// Prints what ONEDNN_MAX_CPU_ISA can be on this machine, a line each.
#include <cstdio>

#include "worker/products/instruction_set.h"

int main() {
  for (const auto& set : lockstep::worker::InstructionSets()) std::puts(set.setting.c_str());
}
