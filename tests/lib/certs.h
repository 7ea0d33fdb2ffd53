/*
 * Certificates for tests, made in a folder that goes with the process. All but
 * the one that has expired are good from 2020 to 2049, so also by a lab's clock.
 */
#ifndef QRT_TESTS_LIB_CERTS_H
#define QRT_TESTS_LIB_CERTS_H

/* Paths of PEM files. Keys are P-256; hosts are "server.test" and 127.0.0.1 unless it says. */
struct certs {
	char ca[128];			      /* a root */
	char other_ca[128];		      /* another root */
	char cert[128], key[128];	      /* by the first */
	char other_cert[128], other_key[128]; /* by the other */
	char expired_cert[128];		      /* by the first, until 2021; its key is the first's */
	char chain_cert[128], chain_key[128]; /* by an authority below the first, and that one's */
	char wildcard_cert[128];	      /* for *.server.test; its key is the first's */
	char empty[128], garbage[128], encrypted_key[128];
};

/* The same for all who ask in this process. Aborts when it cannot. */
const struct certs *certs(void);
/* Makes @to a copy of @from, at once. */
void certs_copy(const char *from, const char *to);
/* A path in the folder that names no file yet. */
void certs_path(const char *name, char ret_path[128]);

#endif
