/*
 * OpenSSL's randomness from a lab's seed: a provider with one generator, in a
 * library context of its own. What is made with another context, in this
 * process or by a runtime outside the lab, never comes here. Never for secrets.
 */
#include <stdlib.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "shim/src/tls/tls.h"

#define GENERATOR "QRT-LAB"

enum { STRENGTH = 256, REQUEST_MAX = 65536 };

struct qrt__tls_random {
	OSSL_LIB_CTX *library;
	OSSL_PROVIDER *lab, *standard;
};

/* --- the generator, as a provider has to offer it ----------------------------------------------
 */

/* The provider's own: where its bytes come from. Each generator of it is nothing but this. */
struct source {
	struct qrt_runtime *rt;
};

static void *generator_new(void *source, void *parent, const OSSL_DISPATCH *parent_calls)
{
	(void)parent;
	(void)parent_calls;
	return source;
}

static void generator_free(void *source)
{
	(void)source; /* the provider's */
}

static int generator_instantiate(void *source, unsigned int strength, int resistance,
				 const unsigned char *text, size_t n, const OSSL_PARAM params[])
{
	(void)source;
	(void)resistance;
	(void)text;
	(void)n;
	(void)params;
	return strength <= STRENGTH;
}

static int generator_uninstantiate(void *source)
{
	(void)source;
	return 1;
}

static int generator_generate(void *source, unsigned char *out, size_t n, unsigned int strength,
			      int resistance, const unsigned char *more, size_t more_n)
{
	struct qrt_runtime *rt = ((struct source *)source)->rt;
	(void)strength;
	(void)resistance;
	(void)more;
	(void)more_n;
	rt->driver->random(rt, out, n);
	return 1;
}

static int generator_lock(void *source)
{
	(void)source; /* one thread */
	return 1;
}

static void generator_unlock(void *source)
{
	(void)source;
}

static int generator_get(void *source, OSSL_PARAM params[])
{
	(void)source;
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
	int ok = !p || OSSL_PARAM_set_int(p, EVP_RAND_STATE_READY);
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	ok = ok && (!p || OSSL_PARAM_set_uint(p, STRENGTH));
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
	return ok && (!p || OSSL_PARAM_set_size_t(p, REQUEST_MAX));
}

static const OSSL_PARAM *generator_gettable(void *source, void *provider)
{
	static const OSSL_PARAM params[] = {OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
					    OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
					    OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
					    OSSL_PARAM_END};
	(void)source;
	(void)provider;
	return params;
}

/* OpenSSL keeps functions of all shapes as one. */
#define ENTRY(id, fn)                                                                              \
	{                                                                                          \
		(id), (void (*)(void))(fn)                                                         \
	}

static const OSSL_DISPATCH generator[] = {
    ENTRY(OSSL_FUNC_RAND_NEWCTX, generator_new),
    ENTRY(OSSL_FUNC_RAND_FREECTX, generator_free),
    ENTRY(OSSL_FUNC_RAND_INSTANTIATE, generator_instantiate),
    ENTRY(OSSL_FUNC_RAND_UNINSTANTIATE, generator_uninstantiate),
    ENTRY(OSSL_FUNC_RAND_GENERATE, generator_generate),
    ENTRY(OSSL_FUNC_RAND_ENABLE_LOCKING, generator_lock),
    ENTRY(OSSL_FUNC_RAND_LOCK, generator_lock),
    ENTRY(OSSL_FUNC_RAND_UNLOCK, generator_unlock),
    ENTRY(OSSL_FUNC_RAND_GET_CTX_PARAMS, generator_get),
    ENTRY(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, generator_gettable),
    {0, NULL}};

static const OSSL_ALGORITHM *provider_query(void *source, int operation, int *ret_no_cache)
{
	static const OSSL_ALGORITHM generators[] = {
	    {GENERATOR, "provider=qrt-lab", generator, NULL}, {NULL, NULL, NULL, NULL}};
	(void)source;
	*ret_no_cache = 0;
	return operation == OSSL_OP_RAND ? generators : NULL;
}

static void provider_end(void *source)
{
	free(source);
}

static int provider_begin(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			  const OSSL_DISPATCH **ret_out, void **ret_source)
{
	static const OSSL_DISPATCH calls[] = {
	    ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	    ENTRY(OSSL_FUNC_PROVIDER_TEARDOWN, provider_end),
	    {0, NULL}};
	(void)handle;
	(void)in;
	*ret_out = calls;
	*ret_source = calloc(1, sizeof(struct source));
	return *ret_source != NULL;
}

/* --- the context ----------------------------------------------------------------------------- */

struct qrt__tls_random *qrt__tls_random_create(struct qrt_runtime *rt)
{
	struct qrt__tls_random *random = calloc(1, sizeof(*random));
	if (!random) {
		return NULL;
	}
	random->library = OSSL_LIB_CTX_new();
	if (random->library &&
	    OSSL_PROVIDER_add_builtin(random->library, "qrt-lab", provider_begin)) {
		random->lab = OSSL_PROVIDER_load(random->library, "qrt-lab");
		random->standard = OSSL_PROVIDER_load(random->library, "default");
	}
	if (!random->lab || !random->standard ||
	    !RAND_set_DRBG_type(random->library, GENERATOR, NULL, NULL, NULL)) {
		qrt__tls_random_destroy(&random);
		return NULL;
	}
	((struct source *)OSSL_PROVIDER_get0_provider_ctx(random->lab))->rt = rt;
	return random;
}

void qrt__tls_random_destroy(struct qrt__tls_random **random_ptr)
{
	struct qrt__tls_random *random = *random_ptr;
	*random_ptr = NULL;
	if (!random) {
		return;
	}
	if (random->standard) {
		OSSL_PROVIDER_unload(random->standard);
	}
	if (random->lab) {
		OSSL_PROVIDER_unload(random->lab);
	}
	OSSL_LIB_CTX_free(random->library);
	free(random);
}

struct ossl_lib_ctx_st *qrt__tls_random_library(const struct qrt__tls_random *random)
{
	return random->library;
}
