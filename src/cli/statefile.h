/* The JSON files in the client's state folder: read whole, written whole, one writer at a time. */
#ifndef SALLYPORT_CLI_STATEFILE_H
#define SALLYPORT_CLI_STATEFILE_H

#include <jansson.h>

#include "sallyport/base/err.h"

/* The object in that file, the caller's to json_decref. A file that is not there, or is damaged, is an empty object:
 * what these files have can be learned again. SP_ENOMEM, SP_ESYS. */
int statefile_read(const char *state, const char *name, json_t **out);
int statefile_write(const char *state, const char *name, const json_t *object);
/* Waits until nobody else is between reading and writing; *fd is to be closed afterwards. SP_ESYS. */
int statefile_lock(const char *state, int *fd);

#endif
