#ifndef LOCKSTEP_PROTO_INTERVAL_H_
#define LOCKSTEP_PROTO_INTERVAL_H_

#include <string>

namespace lockstep::proto {

/// An interval of numbers as the schema's (range) option writes it: "(0, 1]", "[1, inf)". A round
/// bracket leaves the bound out, a square one includes it.
class Interval {
 public:
  /// Throws std::invalid_argument when `text` is not an interval or is empty ("(1, 1]").
  explicit Interval(const std::string& text);

  /// False for NaN.
  bool Contains(double value) const;

 private:
  double low_ = 0;
  double high_ = 0;
  bool includes_low_ = false;
  bool includes_high_ = false;
};

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_INTERVAL_H_
