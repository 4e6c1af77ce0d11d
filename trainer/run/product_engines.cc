#include "trainer/run/product_engines.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/products/gemm.h"

namespace lockstep::trainer {

void ProductEngines::Look(const std::map<std::string, int64_t>& engines) {
  if (!told_) {
    std::vector<std::string> texts;
    for (const auto& [engine, count] : engines) {
      texts.push_back(fmt::format("{} by {}", count, engine));
    }
    console_.Info(fmt::format("matrix products of a step: {}", fmt::join(texts, ", ")));
    told_ = true;
  }
  if (warned_) return;
  for (const auto& [engine, count] : engines) {
    if (!worker::IsReferenceEngine(engine)) continue;
    console_.Warn(
        fmt::format("{} of the matrix products found nothing but reference code ({}) on this "
                    "processor, neither oneDNN's nor our own vectors: they can be 100 times slower "
                    "than they should.",
                    count, engine));
    warned_ = true;
  }
}

}  // namespace lockstep::trainer
