// How an attempt at a batch ended, as far as anything follows from it.
//
// Layer:   core
// Sharing: plain values
// Errors:  cannot fail
//
// What follows for the TVIEW that was being refreshed says standings.h; what follows for the batch
// says repetition.h. An error that a TVIEW causes while it is refreshed apart from the others is
// judged by the same words (IsAgainstTheData).

#ifndef PG_TVIEWS_WORKER_CORE_ENDING_H_
#define PG_TVIEWS_WORKER_CORE_ENDING_H_

#include <cstdint>

namespace tviews::worker {

enum class Ending : std::uint8_t {
  kCommitted,
  kOutdated,      // the catalogs moved while it began
  kLockInTheWay,  // of a session; a batch never waits for one while it holds others
  kGaveWay,       // interrupted, as a session waits for one of its locks
  kTimedOut,      // interrupted: a TVIEW takes longer than it may
  kCancelled,     // interrupted by an operator
  kLockTimeout,   // a definition itself wants a lock that a session holds
  kShortage,      // of memory, disk, connections: it may be somebody else's, and pass
  kPassing,       // another error that says nothing about the data: a lost race, a deadlock
  kData,          // any other: it comes again for the same rows and the same definition
};

// Why a definition is, or is no longer, believed when it raises an error that may pass.
enum class Trust : std::uint8_t { kPatient, kExhausted };

// From outside: it says nothing about whoever was being refreshed, whatever error came of it.
constexpr bool IsInterruption(Ending ending) {
  return ending == Ending::kGaveWay || ending == Ending::kTimedOut || ending == Ending::kCancelled;
}

// True if an error while one TVIEW is refreshed ends in quarantine; otherwise the batch is
// repeated.
constexpr bool IsAgainstTheData(Ending ending, Trust trust) {
  if (ending == Ending::kCommitted || IsInterruption(ending)) return false;
  return ending == Ending::kData || trust == Trust::kExhausted;
}

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_ENDING_H_
