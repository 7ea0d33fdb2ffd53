/*
 * Digests by OpenSSL: the only file that names its digest interface.
 * Never keeps state between calls, never fails quietly.
 */
#include <qrt/digest.h>

#include <openssl/crypto.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void qrt_sha256(const void *data, size_t n, uint8_t ret_digest[QRT_SHA256_SIZE])
{
	unsigned int len = 0;

	QRT_PRE(data || n == 0);
	/* Fails only when the library is unusable; a missing digest must not pass for one. */
	QRT_ASSERT(EVP_Digest(data ? data : "", n, ret_digest, &len, EVP_sha256(), NULL) == 1);
	QRT_POST(len == QRT_SHA256_SIZE);
}

void qrt_sha256_hex(const void *data, size_t n, char ret_hex[QRT_SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[QRT_SHA256_SIZE];

	qrt_sha256(data, n, digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[2 * sizeof(digest)] = '\0';
}

void qrt_hmac_sha256(const void *key, size_t key_n, const void *data, size_t n,
		     uint8_t ret_mac[QRT_SHA256_SIZE])
{
	unsigned int len = 0;

	QRT_PRE(key || key_n == 0);
	QRT_PRE(data || n == 0);
	QRT_PRE(key_n <= INT_MAX);
	QRT_ASSERT(HMAC(EVP_sha256(), key ? key : "", (int)key_n, data ? data : "", n, ret_mac,
			&len) != NULL);
	QRT_POST(len == QRT_SHA256_SIZE);
}

bool qrt_equal_ct(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
