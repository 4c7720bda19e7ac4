/* Fingerprints of SSH keys, "SHA256:" and 43 characters of base64, as the 32 bytes that they stand for. */
#ifndef SALLYPORT_WIRE_FINGERPRINT_H
#define SALLYPORT_WIRE_FINGERPRINT_H

#include <stdint.h>

#include "sallyport/base/err.h"

enum { FINGERPRINT_SIZE = 32, FINGERPRINT_TEXT_SIZE = 51 /* with its end */ };

/* SP_EFORMAT. */
int fingerprint_bytes(const char *text, uint8_t bytes[static FINGERPRINT_SIZE]);
void fingerprint_text(const uint8_t bytes[static FINGERPRINT_SIZE], char text[static FINGERPRINT_TEXT_SIZE]);

#endif
