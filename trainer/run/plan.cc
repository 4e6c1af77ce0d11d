#include "trainer/run/plan.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/ranks/gradient_sum.h"

namespace lockstep::trainer {
namespace {

// A message's own time, in which a rank does nothing else (TCP, measured between two network
// namespaces of one host: 5 to 10 us).
constexpr double kSecondsOfMessage = 7e-6;

struct Unit {
  const char* name;
  double factor;
};

// "10gbit" with its unit's factor. False where it is no positive number of one of the units.
bool ParseQuantity(const std::string& text, const std::vector<Unit>& units, double* value) {
  char* end = nullptr;
  *value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !(*value > 0.0)) return false;
  for (const Unit& unit : units) {
    if (std::string(end) != unit.name) continue;
    *value *= unit.factor;
    return *value < 1e18;
  }
  return false;
}

/// What a host's network carries in each direction for each float of a piece, a rank's messages for
/// a piece, and what is added behind the last one; and of the weights that are shared out.
struct WireCosts {
  double floats = 0.0, messages = 0.0, last_seconds = 0.0;
  double weights = 0.0, weights_messages = 0.0;
};

WireCosts CostsOf(const GradientSum::Way& way, const SumCosts& costs, const RankLayout& layout,
                  const Network& network) {
  const double ranks = layout.ranks(), of_host = layout.ranks_per_host;
  if (!way.through_hosts) {
    const double ways = costs.sharded() ? 1.0 : 2.0;
    const double floats = of_host * (ranks - of_host) / ranks;
    return {ways * floats, ways * (ranks - 1.0), 2.0 * network.latency_seconds, floats,
            ranks - 1.0};
  }
  const double hosts = layout.hosts, of_pairs = (hosts - 1.0) / hosts;
  const double share_out_messages = of_host + hosts - 2.0;
  if (costs.form.wire == Wire::kBfloat16) {  // hosts in pairs
    const double ways = costs.sharded() ? 1.0 : 2.0;
    return {ways * of_pairs, ways * share_out_messages, 2.0 * network.latency_seconds, of_pairs,
            share_out_messages};
  }
  // To the last host and back; hosts in the middle have neighbours on both sides.
  // Of shares, from the last one at once, to each host its own part.
  double hops = 2.0 * (hosts - 1.0), floats = layout.hosts == 2 ? 1.0 : 2.0, pieces = hops;
  if (costs.sharded()) {
    hops = hosts;
    floats = layout.hosts == 2 ? 1.0 : 1.0 + 1.0 / hosts;
    pieces = hosts - 1.0 + of_pairs;  // the last host has the parts of all others to send
  }
  const double piece_seconds =
      costs.bytes_of_float() * static_cast<double>(way.piece_floats) / network.bytes_per_second;
  return {floats, 2.0 * of_host, hops * network.latency_seconds + (pieces - floats) * piece_seconds,
          of_pairs, share_out_messages};
}

}  // namespace

Network ParseNetwork(const std::string& text) {
  Network network;
  const size_t comma = text.find(',');
  const std::string latency = comma == std::string::npos ? "" : text.substr(comma + 1);
  if (!ParseQuantity(text.substr(0, comma),
                     {{"kbit", 1e3 / 8}, {"mbit", 1e6 / 8}, {"gbit", 1e9 / 8}},
                     &network.bytes_per_second) ||
      !ParseQuantity(latency, {{"us", 1e-6}, {"ms", 1e-3}}, &network.latency_seconds)) {
    throw UsageError(fmt::format(
        "--network {}: give a rate and a latency with a comma between them, such as 10gbit,50us "
        "(kbit, mbit or gbit; us or ms).",
        text));
  }
  return network;
}

double ExposedSeconds(const StepTimes& step, const SumCosts& costs, const RankLayout& layout,
                      const Network& network) {
  const double ranks = layout.ranks(), of_host = layout.ranks_per_host;
  if (layout.hosts == 1) return layout.ranks_per_host == 1 ? 0.0 : costs.in_host_seconds;
  const std::vector<int> hosts(layout.hosts, layout.ranks_per_host);
  const GradientSum::Way way = GradientSum::WayOf(hosts, layout.ranks(), costs.form);
  const WireCosts wire = CostsOf(way, costs, layout, network);
  const double messages = wire.messages * kSecondsOfMessage;
  const int64_t most = way.piece_floats;
  double wire_is_free = 0.0, weights = 0.0;
  size_t told = 0;
  for (int64_t end = costs.parameters, begin = 0; end > 0; end = begin) {
    begin = (end - 1) / most * most;
    while (told < step.ready.size() && step.ready[told].offset > begin) ++told;
    const bool early = costs.overlap && told < step.ready.size();
    const double ready = early ? step.ready[told].seconds : step.backward;
    const double floats = wire.floats * static_cast<double>(end - begin);
    wire_is_free = std::max(wire_is_free, ready) + messages +
                   costs.bytes_of_float() * floats / network.bytes_per_second;
    if (costs.sharded()) {
      const double weights_floats = wire.weights * static_cast<double>(end - begin);
      weights += wire.weights_messages * kSecondsOfMessage +
                 sizeof(float) * weights_floats / network.bytes_per_second;
    }
  }
  // Ranks of a host that talk to every other rank talk less to each other the more there are
  // elsewhere.
  const double in_host = costs.in_host_seconds * (way.through_hosts ? 1.0 : of_host / ranks);
  return std::max(0.0, wire_is_free + wire.last_seconds - step.backward) + in_host + weights;
}

}  // namespace lockstep::trainer
