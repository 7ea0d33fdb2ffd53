/* Everything public of libqrt. */
#ifndef QRT_H
#define QRT_H

#include <qrt/base.h>
#include <qrt/component.h>
#include <qrt/control.h>
#include <qrt/cx.h>
#include <qrt/db.h>
#include <qrt/digest.h>
#include <qrt/digest.h>
#include <qrt/err.h>
#include <qrt/http.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/port.h>
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/switchboard.h>

#endif
