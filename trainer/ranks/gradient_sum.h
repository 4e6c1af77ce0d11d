#ifndef LOCKSTEP_TRAINER_RANKS_GRADIENT_SUM_H_
#define LOCKSTEP_TRAINER_RANKS_GRADIENT_SUM_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "trainer/ranks/communicator.h"
#include "worker/parameters.h"

namespace lockstep::trainer {

/// What a number is on its way between ranks. Sums are taken in float32 whatever it is, and every
/// rank has the same bits of them; kBfloat16 rounds what each has to add, and the sum.
enum class Wire { kFloat32, kBfloat16 };

/// What of x is the sum when it is finished.
enum class SumResult {
  kWhole,
  kShares,  ///< this rank's shares; the rest has no meaning
};

/// What an array begins with: rows * width floats.
struct RowTable {
  int64_t rows = 0, width = 0;
};

/// How a gradient is summed.
struct SumForm {
  Wire wire = Wire::kFloat32;
  SumResult result = SumResult::kWhole;
  RowTable table = {};
};

/// The sum of a gradient over ranks, behind the computing of what is still missing of it. An array
/// becomes final from its end to its beginning (the last layer is done first); as it does, pieces
/// of it (4 MB; more where there are more than 256 ranks) go out: each rank sends every other one
/// that one's share of a piece, adds the shares that it has got in the order of the ranks, and
/// sends the sum to all. These are the bytes of a ring in two messages one behind another, and the
/// sums do not depend on timing: every rank has the same bits, each time. A reduce-scatter and an
/// allgather as in Thakur, Rabenseifner and Gropp 2005, all exchanges of pairs at once: of R ranks
/// each sends 2 (R - 1) messages a piece, and is connected to every other one.
///
/// Where hosts have several ranks each, none more than twice another's, which follow one another
/// (as launchers place them unless told otherwise), pieces go from host to host instead, and each
/// host's network carries what one rank would send (HostsExchange of
/// trainer/ranks/piece_exchange.h). The sums are the same, to the last bit; in kBfloat16 what ranks
/// of a host add is not rounded among them, so that other hosts give other bits. Not on more hosts
/// than pieces can be under way for (32; 15 of 32 ranks each; twice as many in kBfloat16).
///
/// Where each rank needs its own shares of the sum alone (to update them, and no others: ZeRO's
/// first stage, Rajbhandari et al. 2020), nothing is sent to all; ShareOut then does that with what
/// became of them. These, too, go through hosts, where all have the same number of ranks (and on
/// up to 13 hosts of 4 ranks each, 10 of 8, 7 of 16): ShareOut sends each share to one rank of
/// every other host, which sends it on to those of its own.
///
/// x may begin with a table, such as an embedding, of which batches touch some rows only. What it
/// has of whole pieces goes last; ranks first tell each other which rows are not all zero anywhere,
/// and where these are at most half of it, they alone travel, with the same sums.
///
/// A thread of its own moves the messages on, since Open MPI does so only while someone calls it.
/// Between the first Ready and the return of Finish nobody else may call MPI.
class GradientSum {
 public:
  /// On all ranks, with an x of the same size, which must outlive this.
  GradientSum(Communicator& communicator, std::span<float> x, const SumForm& form = {});
  /// As if the ranks were on hosts of these numbers of ranks: for tests.
  GradientSum(Communicator& communicator, std::span<float> x, const SumForm& form,
              const std::vector<int>& hosts);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  /// What is at `offset` and behind it will not be changed by this rank any more. Offsets never
  /// rise from call to call; 0 may be said by Finish. Not collective: ranks may say more or less of
  /// it, at other times. std::runtime_error where the thread has failed. Who does not come to
  /// Finish after it must end the job.
  void Ready(int64_t offset);

  /// Collective. All of x is final; returns when it is the sum over ranks, within the
  /// communicator's bound, and begins anew.
  void Finish();

  /// How many floats the last Finish has summed: fewer than x has where rows were left out.
  int64_t summed_floats() const;

  /// Collective, not between Ready and Finish, with SumResult::kShares only: of an array of x's
  /// size, every rank's shares go to all others, bit for bit.
  void ShareOut(std::span<float> y);

  /// The shares of a rank in an array of this size, from its beginning to its end: whole blocks of
  /// worker::kNormBlock floats, as many for each rank as can be. `hosts` as for WayOf.
  static std::vector<worker::ParameterRange> SharesOf(int64_t size, int rank,
                                                      const std::vector<int>& hosts, int ranks);

  /// How pieces go.
  struct Way {
    bool through_hosts = false;  ///< else each rank talks to every other one
    int under_way = 0;           ///< pieces at a time
    int64_t piece_floats = 0;
  };
  /// With hosts as Communicator::host_sizes() gives them.
  static Way WayOf(const std::vector<int>& hosts, int ranks, const SumForm& form);

  /// What it takes beside an x of `size` floats; where rows of a table travel alone, the floats of
  /// pieces under way stand there once more.
  static int64_t Bytes(int64_t size, const std::vector<int>& hosts, int ranks, const SumForm& form);

 private:
  static int64_t PieceFloats(int ranks);  // between pairs

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_GRADIENT_SUM_H_
