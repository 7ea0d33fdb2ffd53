/*
 * The interface of those who implement a backend. A backend is an ENGINE (who
 * owns tasks, how they are cancelled) on a DRIVER (where time, wake-ups, I/O
 * and threads come from). Engines and drivers never see each other: an engine
 * calls only the runtime core (shim/src/internal.h), and so does a driver.
 * That is why the engine that ships on libuv is the same object code that the
 * lab explores.
 *
 * Unless a member says otherwise it is called on the loop's thread, must not
 * block, must not be NULL, and may be re-entered by nobody.
 */
#ifndef QRT_BACKENDS_BACKEND_H
#define QRT_BACKENDS_BACKEND_H

#include <sys/uio.h>

#include <qrt/lane.h>
#include <qrt/region.h>
#include <qrt/resolve.h>
#include <qrt/runtime.h>

#define QRT__BACKEND_ABI 1u

struct qrt_task;
struct qrt__region;
struct qrt__http_impl; /* backends/http_impl.h */
struct qrt__socket;
struct qrt__watch;
struct qrt__ws_impl;	  /* backends/ws_impl.h */
struct qrt__process_impl; /* backends/process_impl.h */

/*
 * What SQLite's own interface to disks lacks, as a file control of a driver's disk: the open file
 * has another name from now on, lasting. It is told in the struct.
 */
enum { QRT__DISK_RENAME = 0x71720001 };
struct qrt__disk_rename {
	const char *to;
	bool replace;
	enum qrt_err err; /* EEXIST: not @replace */
};

/* A name, looked up. */
struct qrt__lookup {
	struct qrt_address *address; /* room for n_max */
	size_t n_max, n;
	enum qrt_err err; /* ENOENT, EAGAIN, EIO */
	int64_t delay_ns; /* until the answer is there */
};

struct qrt__engine {
	const char *name;

	/*
	 * Whether it keeps the structured promises: a cancel is remembered until the task ends,
	 * budgets are counted, cleanup is bounded, a region does not close over a duty.
	 */
	bool structured;
	/* Whether @region takes a new task or child region now. */
	bool (*admits)(const struct qrt__region *region);
	/* Asks what is in @region to end, as far as this engine promises. Runs none of its code. */
	void (*cancel_region)(struct qrt__region *region, const struct qrt_cancel_info *request);
	/* The same, and what @region's opener waits for inside it. */
	void (*cancel_scope)(struct qrt__region *region, const struct qrt_cancel_info *request);
	/* The same for one task and the regions it has opened. */
	void (*cancel_task)(struct qrt_task *task, const struct qrt_cancel_info *request);
	/* Who owns a task that is detached from a component with this home region. */
	struct qrt__region *(*detach_to)(struct qrt__region *home);
};

/* HANGUP: the peer's stream has ended, or the connection; also while nothing is read. */
enum qrt__io { QRT__IO_READ = 1, QRT__IO_WRITE = 2, QRT__IO_HANGUP = 4 };

/*
 * Sockets of the driver's world. Each call tries once and answers QRT_EAGAIN
 * instead of waiting; the core then arms and parks. `arm` sets the whole
 * interest; when it is met the driver calls qrt__socket_ready, from poll only.
 */
struct qrt__net {
	enum qrt_err (*listen)(struct qrt_runtime *rt, const char *address, uint16_t port,
			       int *ret_fd, uint16_t *ret_port, char *ret_detail);
	enum qrt_err (*dup)(struct qrt_runtime *rt, int fd, int *ret_fd);
	void (*close_fd)(struct qrt_runtime *rt, int fd);
	/* Begins a connect; QRT_EAGAIN: under way, writable when decided, then connect_result. */
	enum qrt_err (*connect)(struct qrt_runtime *rt, const char *address, uint16_t port,
				int *ret_fd);
	enum qrt_err (*connect_result)(struct qrt__socket *socket);
	/* Makes @socket (its rt and fd are set) known to the loop; on failure the fd stays the
	 * caller's. */
	enum qrt_err (*open)(struct qrt__socket *socket);
	void (*arm)(struct qrt__socket *socket, unsigned io);
	enum qrt_err (*accept)(struct qrt__socket *socket, int *ret_fd, char *ret_peer);
	enum qrt_err (*read)(struct qrt__socket *socket, void *buf, size_t n, size_t *ret_n);
	enum qrt_err (*write)(struct qrt__socket *socket, const struct iovec *iov, size_t n_iov,
			      size_t *ret_n);
	enum qrt_err (*shutdown)(struct qrt__socket *socket);
	/* What is under way both ways is given up; a close follows. */
	void (*reset)(struct qrt__socket *socket);
	/* Forgets the socket and closes its fd; no qrt__socket_ready for it afterwards. */
	void (*close)(struct qrt__socket *socket);
	/* An fd that becomes readable with one `int` per signal of the set. */
	enum qrt_err (*signals)(struct qrt_runtime *rt, const int *signos, size_t n, int *ret_fd);
	enum qrt_err (*signal_read)(struct qrt__socket *socket, int *ret_signo);
};

struct qrt__driver {
	const char *name;
	/* Whether every step is mixed into the trace hash. */
	bool traced;

	enum qrt_err (*open)(struct qrt_runtime *rt, const struct qrt_runtime_options *opts,
			     char *ret_detail);
	/* No socket is open any more; frees everything. */
	void (*close)(struct qrt_runtime *rt);
	/* Monotonic ns, never going back. From any thread. */
	int64_t (*now)(struct qrt_runtime *rt);
	int64_t (*wall_ms)(struct qrt_runtime *rt);
	void (*random)(struct qrt_runtime *rt, void *buf, size_t n);
	/*
	 * Waits up to @timeout_ns (0: not at all, -1: for ever) for I/O or a
	 * wake and reports what happened. This one blocks. In the lab it moves
	 * the clock instead.
	 */
	void (*poll)(struct qrt_runtime *rt, int64_t timeout_ns);
	/* Ends a poll, now or the next one. From any thread. */
	void (*wake)(struct qrt_runtime *rt);
	/*
	 * The task that runs next, one of rt->ready, left in its list; or NULL: the one whose turn
	 * it is. NULL: always that one.
	 */
	struct qrt_task *(*pick)(struct qrt_runtime *rt);
	/* One of @n, by the seed. NULL: there is no seed. */
	size_t (*choose)(struct qrt_runtime *rt, size_t n);
	/* When a lane job runs, for drivers without threads: ns from now. NULL: real threads. */
	int64_t (*job_delay)(struct qrt_runtime *rt);
	/* With job_delay: for how long the job that has just run goes on, ns. */
	int64_t (*job_spent)(struct qrt_runtime *rt);
	/* The job that runs has worked for so long. NULL: the clock sees for itself. */
	void (*job_spend)(struct qrt_runtime *rt, int64_t ns);
	/* What is answered when somebody asks for @host now. NULL: the system's resolver is asked.
	 */
	void (*lookup)(struct qrt_runtime *rt, const char *host, struct qrt__lookup *ret_lookup);
	/*
	 * What SQLite calls the disk its files are on; NULL, or NULL returned: the system's. Its
	 * files know QRT__DISK_RENAME.
	 */
	const char *(*disk)(struct qrt_runtime *rt);
	/*
	 * For runtimes that have no thread of their own, but are turned with another one: whether
	 * this is one, which has been started then. NULL: none is.
	 */
	bool (*start)(struct qrt_runtime *rt);
	/* Lets such a one go on until its loop has ended, or @grace_ns have passed: whether it has.
	 */
	bool (*finish)(struct qrt_runtime *rt, int64_t grace_ns);

	/* Descriptor readiness, for net implementations over real fds; NULL in the lab. */
	enum qrt_err (*watch_open)(struct qrt__watch *watch);
	void (*watch_arm)(struct qrt__watch *watch, unsigned io);
	void (*watch_close)(struct qrt__watch *watch);

	const struct qrt__net *net;
	/* An HTTP server of the driver's own; NULL: the shim's, over streams. */
	const struct qrt__http_impl *http;
	const struct qrt__process_impl *process;
	/* WebSockets; NULL: there are none. */
	const struct qrt__ws_impl *ws;
};

/* @region, which was exposed to a sweep, is closed. */
void qrt__lab_unexpose(struct qrt__region *region);
/* @lab observes @rt, on whatever driver, until that tells it is GONE. Errors: ENOMEM. */
enum qrt_err qrt__lab_observe(struct qrt_lab *lab, struct qrt_runtime *rt) QRT_MUST_USE;

struct qrt__backend {
	unsigned abi;
	const char *name;
	const struct qrt__engine *engine;
	const struct qrt__driver *driver;
	const struct qrt_promise *promises;
	size_t n_promises;
};

/* The backends of this build, in order; ends with NULL. */
extern const struct qrt__backend *const qrt__backends[];
const struct qrt__backend *qrt__backend_find(const char *name);

/* The two engines; both also run under the lab driver. */
extern const struct qrt__engine qrt__engine_detached;
extern const struct qrt__engine qrt__engine_region;
/* What each backend promises, key by key in the same order. */
enum { QRT__PROMISES = 25 };
extern const struct qrt_promise qrt__promises_legacy[QRT__PROMISES];
extern const struct qrt_promise qrt__promises_region[QRT__PROMISES];
extern const struct qrt_promise qrt__promises_lab[QRT__PROMISES];
extern const struct qrt_promise qrt__promises_lab_legacy[QRT__PROMISES];

/* One symbol per backend. */
extern const struct qrt__backend qrt__backend_legacy;
extern const struct qrt__backend qrt__backend_region;
extern const struct qrt__backend qrt__backend_lab;
extern const struct qrt__backend qrt__backend_lab_legacy;

/* Sockets over real descriptors, on any driver that has watches. */
extern const struct qrt__net qrt__net_posix;

#endif
