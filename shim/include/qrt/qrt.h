/* Everything public of libqrt. */
#ifndef QRT_H
#define QRT_H

#include <qrt/base.h>
#include <qrt/broadcast.h>
#include <qrt/budget.h>
#include <qrt/cancel.h>
#include <qrt/chan.h>
#include <qrt/combine.h>
#include <qrt/component.h>
#include <qrt/control.h>
#include <qrt/cx.h>
#include <qrt/db.h>
#include <qrt/digest.h>
#include <qrt/err.h>
#include <qrt/http.h>
#include <qrt/http_chain.h>
#include <qrt/http_client.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/ledger.h>
#include <qrt/log.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/permit.h>
#include <qrt/port.h>
#include <qrt/process.h>
#include <qrt/rate.h>
#include <qrt/region.h>
#include <qrt/resolve.h>
#include <qrt/runtime.h>
#include <qrt/select.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/switchboard.h>
#include <qrt/sync.h>
#include <qrt/tls.h>
#include <qrt/trace.h>
#include <qrt/watch.h>
#include <qrt/ws.h>

#endif
