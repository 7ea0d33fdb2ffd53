/* Certificates for tests; see certs.h. */
#include "tests/lib/certs.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static struct certs all;
static char folder[64];
static pid_t owner;

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void certs_path(const char *name, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%s", folder, name);
}

static int drop(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void drop_folder(void)
{
	if (getpid() == owner) {
		nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
	}
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	MUST(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void write_key(const char *path, EVP_PKEY *key, const char *password)
{
	FILE *file = fopen(path, "we");
	const EVP_CIPHER *cipher = password ? EVP_aes_128_cbc() : NULL;
	MUST(file && PEM_write_PrivateKey(file, key, cipher, NULL, 0, NULL, (void *)password));
	MUST(fclose(file) == 0);
}

static void write_certs(const char *path, X509 *first, X509 *second)
{
	FILE *file = fopen(path, "we");
	MUST(file && PEM_write_X509(file, first));
	MUST(!second || PEM_write_X509(file, second));
	MUST(fclose(file) == 0);
}

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

struct wish {
	const char *name, *hosts, *until; /* hosts NULL: an authority */
	EVP_PKEY *key;
	const struct authority *by; /* NULL: itself */
};

static void extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(extension && X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *make(const struct wish *wish)
{
	static long serial;
	X509 *x509 = X509_new();
	MUST(x509 && X509_set_version(x509, 2));
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial));
	MUST(ASN1_TIME_set_string_X509(X509_getm_notBefore(x509), "20200101000000Z"));
	MUST(ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), wish->until));
	X509_NAME *name = X509_get_subject_name(x509);
	MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)wish->name,
					-1, -1, 0));
	X509 *issuer = wish->by ? wish->by->cert : x509;
	MUST(X509_set_issuer_name(x509, X509_get_subject_name(issuer)));
	MUST(X509_set_pubkey(x509, wish->key));
	if (wish->hosts) {
		extend(x509, issuer, NID_subject_alt_name, wish->hosts);
	} else {
		extend(x509, issuer, NID_basic_constraints, "critical,CA:TRUE");
	}
	MUST(X509_sign(x509, wish->by ? wish->by->key : wish->key, EVP_sha256()));
	return x509;
}

static struct authority make_authority(const char *name, const struct authority *by)
{
	struct authority authority = {.key = EVP_EC_gen("P-256")};
	const struct wish wish = {
	    .name = name, .until = "20491231235959Z", .key = authority.key, .by = by};
	MUST(authority.key);
	authority.cert = make(&wish);
	return authority;
}

static void drop_authority(struct authority *authority)
{
	X509_free(authority->cert);
	EVP_PKEY_free(authority->key);
}

/* A certificate of @key by @by to the file @path, with that of @by below it if @chain. */
static void leaf(const char *path, EVP_PKEY *key, const struct authority *by, bool chain,
		 struct wish wish)
{
	wish.name = "a server";
	wish.key = key;
	wish.by = by;
	X509 *x509 = make(&wish);
	write_certs(path, x509, chain ? by->cert : NULL);
	X509_free(x509);
}

static const struct wish good = {.hosts = "DNS:server.test,IP:127.0.0.1",
				 .until = "20491231235959Z"};
static const struct wish expired = {.hosts = "DNS:server.test,IP:127.0.0.1",
				    .until = "20210101000000Z"};
static const struct wish wildcard = {.hosts = "DNS:*.server.test", .until = "20491231235959Z"};

static void name_files(void)
{
	certs_path("ca.pem", all.ca);
	certs_path("other-ca.pem", all.other_ca);
	certs_path("cert.pem", all.cert);
	certs_path("key.pem", all.key);
	certs_path("other-cert.pem", all.other_cert);
	certs_path("other-key.pem", all.other_key);
	certs_path("expired.pem", all.expired_cert);
	certs_path("chain.pem", all.chain_cert);
	certs_path("chain-key.pem", all.chain_key);
	certs_path("wildcard.pem", all.wildcard_cert);
	certs_path("empty.pem", all.empty);
	certs_path("garbage.pem", all.garbage);
	certs_path("encrypted-key.pem", all.encrypted_key);
}

static void make_files(void)
{
	struct authority ca = make_authority("a root", NULL);
	struct authority other = make_authority("another root", NULL);
	struct authority below = make_authority("an authority below", &ca);
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
	MUST(key && other_key);
	write_certs(all.ca, ca.cert, NULL);
	write_certs(all.other_ca, other.cert, NULL);
	leaf(all.cert, key, &ca, false, good);
	leaf(all.other_cert, other_key, &other, false, good);
	leaf(all.expired_cert, key, &ca, false, expired);
	leaf(all.chain_cert, key, &below, true, good);
	leaf(all.wildcard_cert, key, &ca, false, wildcard);
	write_key(all.key, key, NULL);
	write_key(all.chain_key, key, NULL);
	write_key(all.other_key, other_key, NULL);
	write_key(all.encrypted_key, key, "secret");
	write_text(all.empty, "");
	write_text(all.garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	drop_authority(&below);
	drop_authority(&other);
	drop_authority(&ca);
}

const struct certs *certs(void)
{
	if (!owner) {
		owner = getpid();
		snprintf(folder, sizeof(folder), "/tmp/qrt-certs-XXXXXX");
		MUST(mkdtemp(folder) && atexit(drop_folder) == 0);
		name_files();
		make_files();
	}
	return &all;
}

void certs_copy(const char *from, const char *to)
{
	char text[8192], next[160];
	FILE *file = fopen(from, "re");
	MUST(file);
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	snprintf(next, sizeof(next), "%s.next", to);
	write_text(next, text);
	MUST(rename(next, to) == 0);
}
