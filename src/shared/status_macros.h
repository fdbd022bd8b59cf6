// Return-if-error and assign-or-return.
//
// Layer:   core
// Sharing: immutable
// Errors:  passes a Status upwards, unchanged

#ifndef PG_TVIEWS_SHARED_STATUS_MACROS_H_
#define PG_TVIEWS_SHARED_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TVIEWS_CONCAT_INNER_(a, b) a##b
#define TVIEWS_CONCAT_(a, b) TVIEWS_CONCAT_INNER_(a, b)

// TVIEWS_RETURN_IF_ERROR(DoX()); the body of a lambda in the expression may use it too.
#define TVIEWS_RETURN_IF_ERROR(expression) \
  TVIEWS_RETURN_IF_ERROR_(TVIEWS_CONCAT_(tviews_status_, __COUNTER__), expression)
#define TVIEWS_RETURN_IF_ERROR_(status, expression)                        \
  do {                                                                     \
    if (::absl::Status status = (expression); !status.ok()) return status; \
  } while (false)

// TVIEWS_ASSIGN_OR_RETURN(auto x, MakeX());
#define TVIEWS_ASSIGN_OR_RETURN(target, expression) \
  TVIEWS_ASSIGN_OR_RETURN_(TVIEWS_CONCAT_(tviews_result_, __LINE__), target, expression)
#define TVIEWS_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                                \
  if (!result.ok()) return std::move(result).status();       \
  target = *std::move(result)

#endif  // PG_TVIEWS_SHARED_STATUS_MACROS_H_
