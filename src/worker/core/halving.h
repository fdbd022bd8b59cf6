// Finds out which of several keys fail, where so far only all of them together have.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  returns Status: what ends the search

#ifndef PG_TVIEWS_WORKER_CORE_HALVING_H_
#define PG_TVIEWS_WORKER_CORE_HALVING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace tviews::worker {

// What is done with keys.
class KeyTrial {
 public:
  virtual ~KeyTrial() = default;

  // OK if they succeed, all of them; otherwise nothing of it remains.
  virtual absl::Status Try(absl::Span<const std::string> keys) = 0;
  // True of an error that says nothing about the keys: it ends the search.
  virtual bool EndsSearch(const absl::Status& error) const = 0;
  // This key fails with this error.
  virtual absl::Status Condemn(const std::string& key, const absl::Status& error) = 0;
  // True once so many are condemned that the search is given up; all others are left as they are.
  virtual bool IsGivenUp() const = 0;
};

// `keys` have failed together with `error`. Each half is tried for itself, and halved again if it
// fails: so every key is either part of something that succeeded, or condemned with an error of its
// own.
absl::Status Halve(absl::Span<const std::string> keys, const absl::Status& error, KeyTrial* trial);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_HALVING_H_
