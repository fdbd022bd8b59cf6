// Marks the functions that the server looks up by name in the module.
//
// Layer:   pg
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_EXPORT_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_EXPORT_H_

#define TVIEWS_EXPORT extern "C" __attribute__((visibility("default")))

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_EXPORT_H_
