/*
 * Handlers of /api/v1/quotes. Each runs behind authentication; see routes.c.
 */
#ifndef QY_SERVER_QUOTE_ROUTES_H
#define QY_SERVER_QUOTE_ROUTES_H

#include "quotey/server/routes.h"

qy_route_fn qy_route_quote_create;  /* 201 with Location and ETag */
qy_route_fn qy_route_quote_list;    /* filters status, account_id, created_by; limit, offset */
qy_route_fn qy_route_quote_get;	    /* with ETag */
qy_route_fn qy_route_quote_price;   /* takes If-Match; 200 also when fields are missing */
qy_route_fn qy_route_quote_preview; /* changes nothing */

#endif
