// Closes the block that postgres_begin.h opened.
//
// Layer:   pg
// Sharing: immutable
// Errors:  cannot fail

}  // extern "C"
