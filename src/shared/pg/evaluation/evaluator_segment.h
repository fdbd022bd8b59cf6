// What lies in the shared memory segment between a session and its evaluator process.
//
// Layer:   pg
// Sharing: shared memory
// Errors:  cannot fail
//
// | part | written by | read by |
// |---|---|---|
// | EvaluatorShared | the session, before the process starts | the evaluator |
// | requests, a queue of kRequestsSize bytes | the session | the evaluator |
// | answers, a queue of kAnswersSize bytes | the evaluator | the session |

#ifndef PG_TVIEWS_SHARED_PG_EVALUATION_EVALUATOR_SEGMENT_H_
#define PG_TVIEWS_SHARED_PG_EVALUATION_EVALUATOR_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "shared/shared_field.h"
#include "shared/types.h"

struct PGPROC;

namespace tviews::pg {

inline constexpr std::uint64_t kEvaluatorMagic = 0x7476696577657661;  // of the table of contents
inline constexpr std::uint64_t kEvaluatorKey = 1;
inline constexpr std::uint64_t kRequestsKey = 2;
inline constexpr std::uint64_t kAnswersKey = 3;
inline constexpr std::size_t kRequestsSize = 64 * 1024;
inline constexpr std::size_t kAnswersSize = 256 * 1024;

struct EvaluatorShared {
  Oid32 database TVIEWS_SHARED(set_at_birth);
  PGPROC* session TVIEWS_SHARED(set_at_birth);
  std::int32_t session_pid TVIEWS_SHARED(set_at_birth);
  std::int32_t lock_timeout TVIEWS_SHARED(set_at_birth);  // milliseconds, as the session has set it
};

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_EVALUATION_EVALUATOR_SEGMENT_H_
