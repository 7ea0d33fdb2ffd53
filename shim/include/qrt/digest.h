/*
 * Message digests and a comparison that does not tell by its time where two
 * secrets differ. Pure functions: any thread, no cx, never a key or a state.
 */
#ifndef QRT_DIGEST_H
#define QRT_DIGEST_H

#include <qrt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QRT_SHA256_SIZE 32
/* As lower-case hex with its NUL. */
#define QRT_SHA256_HEX_SIZE (2 * QRT_SHA256_SIZE + 1)

/* SHA-256 of @n bytes; @data may be NULL when @n is 0. */
QRT_API void qrt_sha256(const void *data, size_t n, uint8_t ret_digest[QRT_SHA256_SIZE]);
/* The same as lower-case hex. */
QRT_API void qrt_sha256_hex(const void *data, size_t n, char ret_hex[QRT_SHA256_HEX_SIZE]);

/* HMAC-SHA256 of @n bytes under a key of @key_n; either may be NULL when its length is 0. */
QRT_API void qrt_hmac_sha256(const void *key, size_t key_n, const void *data, size_t n,
			     uint8_t ret_mac[QRT_SHA256_SIZE]);

/* Whether @n bytes are equal, in a time that depends on @n only. */
QRT_API bool qrt_equal_ct(const void *a, const void *b, size_t n);

#ifdef __cplusplus
}
#endif
#endif
