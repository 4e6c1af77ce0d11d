#ifndef LOCKSTEP_TRAINER_RUN_PRODUCT_ENGINES_H_
#define LOCKSTEP_TRAINER_RUN_PRODUCT_ENGINES_H_

#include <cstdint>
#include <map>
#include <string>

#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// Tells which code this rank's matrix products run on: a line after the first step, when all of
/// its products have been prepared, and a warning as soon as one has found nothing but reference
/// code, many times too slow.
class ProductEngines {
 public:
  /// `console` must outlive this.
  explicit ProductEngines(Console& console) : console_(console) {}

  /// After each step. `engines` is worker::ProductEngines().
  void Look(const std::map<std::string, int64_t>& engines);

 private:
  Console& console_;
  bool told_ = false;
  bool warned_ = false;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_PRODUCT_ENGINES_H_
