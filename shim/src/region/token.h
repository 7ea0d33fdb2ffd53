/* Cancel tokens as regions see them: the binding of one region to one token. */
#ifndef QRT_TOKEN_H
#define QRT_TOKEN_H

struct qrt__binding;
struct qrt__region;

/* Ends the binding of @region, which closes; its loop's thread. A request may come meanwhile. */
void qrt__token_unbind(struct qrt__region *region);
/* The name of the token, static. */
const char *qrt__token_name(const struct qrt__binding *binding);

#endif
