// Errors as values: a Status that knows its SQLSTATE, detail and hint.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  makes them
//
// Message style is PostgreSQL's: the primary message in lower case without a full stop; detail and
// hint are sentences.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_ERROR_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_ERROR_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace tviews::pg {

struct ErrorText {
  std::string message;
  std::string detail = {};
  std::string hint = {};
  const char* sqlstate = nullptr;  // five characters; null: follows from the status code
};

// A Status that Enter raises with all of `text`.
absl::Status MakeError(absl::StatusCode code, const ErrorText& text);

// The SQLSTATE with which `status` is, or was, raised: five characters.
std::string SqlState(const absl::Status& status);

// The same without taking memory, cut to fit: for where nothing may fail. `sqlstate` has room for
// six bytes.
void CopySqlState(const absl::Status& status, char* sqlstate) noexcept;
void CopyErrorDetail(const absl::Status& status, char* to, std::size_t room) noexcept;
void CopyErrorHint(const absl::Status& status, char* to, std::size_t room) noexcept;

// The detail of `status`, or an empty string.
std::string ErrorDetail(const absl::Status& status);
std::string ErrorHint(const absl::Status& status);

// True for errors that say nothing about the data: serialization failure, deadlock, lock not
// available, resources, cancellation, and catalogs that moved. Repeating the whole batch with a
// newer snapshot may succeed.
bool IsTransient(const absl::Status& status);

// True if `status` is of SQLSTATE `sqlstate` ("23505"), or of its class where two characters are
// given ("23").
bool HasSqlState(const absl::Status& status, const char* sqlstate);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_ERROR_H_
