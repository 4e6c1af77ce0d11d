#ifndef LOCKSTEP_TRAINER_RANKS_PIECE_EXCHANGE_H_
#define LOCKSTEP_TRAINER_RANKS_PIECE_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <mpi.h>

#include "trainer/ranks/gradient_sum.h"
#include "worker/optimizers/clip.h"
#include "worker/parameters.h"
#include "worker/products/bfloat16.h"

namespace lockstep::trainer {

/// A part of an array of `size` floats, of `parts`: whole blocks of `grain` floats.
worker::ParameterRange ShareOfPiece(int64_t size, int part, int parts,
                                    int64_t grain = worker::kNormBlock);
/// The largest one's floats.
int64_t LargestShare(int64_t size, int parts, int64_t grain = worker::kNormBlock);

/// Of what goes through hosts, where parts of parts travel: what ranks have alone is whole blocks
/// of the norm, what all get may be cut anywhere, so that all have as much to add and to send.
constexpr int64_t GrainOf(SumResult result) {
  return result == SumResult::kShares ? worker::kNormBlock : 64;
}

/// Where a rank is.
struct HostPlace {
  int host = 0;               ///< the number of its host
  int first = 0;              ///< the first rank of that
  int local = 0, locals = 0;  ///< its number among the ranks there, and how many these are
};
/// With hosts of so many ranks, which follow one another.
HostPlace PlaceOf(int rank, const std::vector<int>& hosts);

/// The sum of one array after another over ranks, in the order of the ranks: its stages, each of
/// which ends when the messages of the one before have come. All ranks take part in every one, in
/// the same order; of several exchanges each has a slot, and tags of its own.
class PieceExchange {
 public:
  /// Of tags: slot s has kTags from kFirstTag + s * kTags on.
  static constexpr int kFirstTag = 101, kTags = 4;

  virtual ~PieceExchange() = default;
  virtual bool busy() const = 0;
  /// x lives until this is idle again.
  virtual void Start(float* x, int64_t size, SumResult result) = 0;
  /// Whether it has come a stage further.
  virtual bool Advance() = 0;
};

/// Each of some ranks sends every other one that one's share, adds the shares that it has got, and
/// sends the sum to all.
class PairsExchange : public PieceExchange {
 public:
  /// Of `ranks`, of which this one is number `own`, for arrays of at most `most` floats.
  PairsExchange(int slot, std::vector<int> ranks, int own, Wire wire, int64_t most,
                int64_t grain = worker::kNormBlock);
  /// What one of these takes.
  static int64_t Bytes(int ranks, Wire wire, int64_t most, int64_t grain = worker::kNormBlock);
  bool busy() const override { return stage_ != Stage::kIdle; }
  void Start(float* x, int64_t size, SumResult result) override;
  bool Advance() override;

 private:
  enum class Stage { kIdle, kShares, kSums };

  // Ranks are numbered here as in `ranks_`.
  worker::ParameterRange ShareOf(int number) const {
    return ShareOfPiece(size_, number, count_, grain_);
  }
  void SendPart(int to, int tag, worker::ParameterRange what);
  void ReceivePart(int from, int tag, worker::ParameterRange where, float* place);
  void AddShares();
  void TakeSums();

  const int tag_;
  const std::vector<int> ranks_;
  const int own_, count_;
  const bool rounds_;
  const int64_t grain_;
  SumResult result_ = SumResult::kWhole;
  Stage stage_ = Stage::kIdle;
  float* x_ = nullptr;
  int64_t size_ = 0;
  std::vector<float> received_;  // [ranks, share]; the own one's place stays unused
  std::vector<worker::Bfloat16> rounded_, received_rounded_;
  std::vector<MPI_Request> requests_;
};

/// Between hosts of several ranks, which follow one another: on each host some ranks have a share
/// each. What the ranks of the host have to add to a share goes to its rank, which adds it to what
/// the one on the host before sends and sends that to the next host; the last one's sum comes back
/// the same way, and each rank sends it to those of its host. So a host's network carries each
/// float once in either direction, or twice with a host on both sides, however many ranks it has.
/// The order of additions is that of PairsExchange. In kBfloat16, where a partial sum would be
/// rounded once more at each host, those who have the same share on each host exchange their hosts'
/// sums in pairs instead.
///
/// Of shares alone, where all hosts have the same number of ranks, the last one's sum goes back in
/// parts, to each host its own; in kBfloat16 the pairs keep theirs.
class HostsExchange : public PieceExchange {
 public:
  /// `hosts`: the numbers of their ranks, in the order of the ranks.
  HostsExchange(int slot, int rank, const std::vector<int>& hosts, const SumForm& form,
                int64_t most);
  bool busy() const override { return stage_ != Stage::kIdle; }
  void Start(float* x, int64_t size, SumResult result) override;
  bool Advance() override;

  /// What one of these takes on the rank that takes most.
  static int64_t Bytes(const std::vector<int>& hosts, const SumForm& form, int64_t most);
  /// How many ranks of each host have a share.
  static int Owners(const std::vector<int>& hosts);
  /// Of a piece, what a rank has alone: of the share of its number on its host (of `locals`) the
  /// part of its host.
  static worker::ParameterRange ShareOfRank(int64_t size, int local, int locals, int host,
                                            int hosts);

 private:
  enum class Stage { kIdle, kContributions, kResult, kOthers };
  enum Tag { kContribution, kUp, kDown, kSum };

  worker::ParameterRange ShareOf(int owner) const {
    return ShareOfPiece(size_, owner, owners_, grain_);
  }
  bool is_owner() const { return place_.local < owners_; }
  /// Of a host, in the share of this rank's number, where ranks need theirs alone.
  worker::ParameterRange PartOf(int host) const {
    return ShareOfRank(size_, place_.local, place_.locals, host, hosts_);
  }
  void AddContributions(float* to);
  void PassOn();

  const int tag_, owners_, hosts_;
  const int64_t grain_;
  const HostPlace place_;
  int before_ = -1, next_ = -1;             // who has the same share there, in float32
  std::unique_ptr<PairsExchange> between_;  // of those, else
  SumResult result_ = SumResult::kWhole;
  Stage stage_ = Stage::kIdle;
  float* x_ = nullptr;
  int64_t size_ = 0;
  std::vector<float>
      received_;  // [locals + 1, share]: contributions, and what the host before sent
  // Those with the next host end by themselves: this host's ranks wait for what comes from there.
  std::vector<MPI_Request> requests_, next_host_requests_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_PIECE_EXCHANGE_H_
